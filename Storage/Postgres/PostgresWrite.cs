using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>A write that waits in a writer's queue, and its task. Every kind is one statement that commits by itself
/// and holds what it locks no longer than it runs: a process that is stopped in the middle stops nobody else. The
/// statement itself checks the epoch.</summary>
internal abstract class PostgresWrite(LogHandle handle)
    : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public LogHandle Handle { get; } = handle;

    /// <summary>Whether others of its kind can be in the same statement.</summary>
    public abstract bool CanShare { get; }

    /// <summary>Bytes of events, roughly.</summary>
    public virtual long Bytes => 0;

    /// <summary>Writes a group of this kind, in order. Returns those that storage has not admitted, of which nothing
    /// is written then; whoever calls it tells the others.</summary>
    public abstract Task<IReadOnlyList<PostgresWrite>> Commit(NpgsqlDataSource source,
        IReadOnlyList<PostgresWrite> group);

    /// <summary>Why it was not admitted, alone.</summary>
    public virtual Task<Exception> Refusal(NpgsqlDataSource source) =>
        Task.FromResult<Exception>(PostgresFailure.Fenced(Handle));
}

/// <summary>A write that has a statement to itself; false: not admitted.</summary>
internal sealed class SingleWrite(LogHandle handle, Func<NpgsqlDataSource, Task<bool>> write) : PostgresWrite(handle)
{
    public override bool CanShare => false;

    public override async Task<IReadOnlyList<PostgresWrite>> Commit(NpgsqlDataSource source,
        IReadOnlyList<PostgresWrite> group) => await write(source) ? [] : [this];
}
