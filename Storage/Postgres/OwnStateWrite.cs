using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>The state of a subscriber that has an owner of its own, without anything to park: one statement for all
/// subscribers of all streams.</summary>
internal sealed class OwnStateWrite(SubscriberHandle handle, SubscriberWrite state) : PostgresWrite(StreamOf(handle))
{
    private const string Sql = """
        UPDATE subscribers s SET state = w.state, wakes = w.wakes
        FROM unnest($1::int[], $2::bigint[], $3::text[], $4::bigint[], $5::boolean[], $6::bytea[])
            w(n, stream, name, epoch, wakes, state)
        WHERE s.stream = w.stream AND s.name = w.name AND s.epoch = w.epoch
        RETURNING w.n
        """;

    private readonly SubscriberHandle _owner = handle;
    private readonly SubscriberWrite _state = state;

    public override bool CanShare => true;

    public override long Bytes => _state.State.Length;

    /// <summary>By which a writer keeps writes in order; the epoch is the subscriber's.</summary>
    public static LogHandle StreamOf(SubscriberHandle handle) => new(handle.Stream, (ulong)handle.Epoch);

    public override async Task<IReadOnlyList<PostgresWrite>> Commit(NpgsqlDataSource source,
        IReadOnlyList<PostgresWrite> group)
    {
        // Of several states of one opening only the last is written: no statement changes a row twice.
        var states = new Dictionary<SubscriberHandle, SubscriberWrite>();
        foreach (OwnStateWrite write in group) states[write._owner] = write._state;
        var owners = states.Keys.ToArray();
        var taken = await source.CreateCommand(Sql)
            .With(Enumerable.Range(0, owners.Length).ToArray())
            .With(owners.Select(owner => owner.Stream).ToArray())
            .With(owners.Select(owner => owner.Name).ToArray())
            .With(owners.Select(owner => owner.Epoch).ToArray())
            .With(states.Values.Select(state => state.Wakes).ToArray())
            .With(states.Values.Select(state => state.State).ToArray())
            .Taken(owners);
        return [.. group.Where(write => !taken.Contains(((OwnStateWrite)write)._owner))];
    }
}
