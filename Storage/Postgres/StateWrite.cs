using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>A subscriber's state without anything to park: what is written all the time. One statement for all
/// subscribers of all streams.</summary>
internal sealed class StateWrite(LogHandle handle, SubscriberWrite state) : PostgresWrite(handle)
{
    private const string Sql = """
        WITH held AS MATERIALIZED (
            SELECT w.n, s.id
            FROM streams s JOIN unnest($1::int[], $2::bigint[], $3::bigint[]) w(n, id, epoch)
                ON s.id = w.id AND s.epoch = w.epoch
            WHERE s.deleted IS NULL AND s.close_end IS NULL
            ORDER BY s.id FOR NO KEY UPDATE OF s),
        saved AS (
            INSERT INTO subscribers(stream, wakes, name, state)
            SELECT held.id, u.wakes, u.name, u.state
            FROM unnest($4::int[], $5::boolean[], $6::text[], $7::bytea[]) u(n, wakes, name, state)
            JOIN held ON held.n = u.n
            ON CONFLICT (stream, name) DO UPDATE SET state = excluded.state, wakes = excluded.wakes)
        SELECT n FROM held
        """;

    private readonly SubscriberWrite _state = state;

    public override bool CanShare => true;

    public override long Bytes => _state.State.Length;

    public override async Task<IReadOnlyList<PostgresWrite>> Commit(NpgsqlDataSource source,
        IReadOnlyList<PostgresWrite> group)
    {
        var handles = group.Select(write => write.Handle).Distinct().ToArray();
        var numbers = handles.Index().ToDictionary(each => each.Item, each => each.Index);
        // Of several states of one subscriber only the last is written: no statement changes a row twice.
        var states = new Dictionary<(int N, string Name), SubscriberWrite>();
        foreach (StateWrite write in group) states[(numbers[write.Handle], write._state.Name)] = write._state;
        var taken = await source.CreateCommand(Sql)
            .With(numbers.Values.ToArray())
            .With(handles.Select(each => each.Id).ToArray())
            .With(handles.Select(each => unchecked((long)each.Epoch)).ToArray())
            .With(states.Keys.Select(each => each.N).ToArray())
            .With(states.Values.Select(each => each.Wakes).ToArray())
            .With(states.Keys.Select(each => each.Name).ToArray())
            .With(states.Values.Select(each => each.State).ToArray())
            .Taken(handles);
        return [.. group.Where(write => !taken.Contains(write.Handle))];
    }
}
