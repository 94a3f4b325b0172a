using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>A write that waits in the writer's queue. Applied inside a transaction (again, if the first one had to be
/// taken back), told its outcome after the commit.</summary>
internal interface IWrite
{
    void Apply(WriteTables tables);

    void Complete();

    void Fail(LogUnavailableException reason);
}

/// <summary>A write and its task. A refusal is a value until the task is completed: it must not disturb the writes
/// that share the transaction.</summary>
internal sealed class Write<T>(LogHandle? handle, bool closedToo, Func<WriteTables, T> apply)
    : TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously), IWrite
{
    private T? _result;
    private bool _fenced;

    public void Apply(WriteTables tables)
    {
        _fenced = handle is { } named && !tables.Admits(named, closedToo);
        if (!_fenced) _result = apply(tables);
    }

    public void Complete()
    {
        if (_fenced) TrySetException(Fenced(handle!.Value));
        else TrySetResult(_result!);
    }

    public void Fail(LogUnavailableException reason) => TrySetException(reason);

    public static LogFencedException Fenced(LogHandle handle) =>
        new($"Stream {handle.Id} is no longer open in epoch {handle.Epoch:x16}.");
}
