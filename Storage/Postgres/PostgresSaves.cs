using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>The rarer writes, a statement each. All begin with the stream's row, locked if its epoch is still the
/// writer's; false when it is not, and nothing is written then.</summary>
internal static class PostgresSaves
{
    private const string Admitted = "id = $1 AND epoch = $2 AND deleted IS NULL AND close_end IS NULL";

    private const string Held = $"held AS MATERIALIZED (SELECT id FROM streams WHERE {Admitted} FOR NO KEY UPDATE)";

    public static Task<bool> Reserve(NpgsqlDataSource source, LogHandle handle, long through) =>
        Statement(source, handle, $"UPDATE streams SET reserved = greatest(reserved, $3) WHERE {Admitted}")
            .With(through).Changes();

    public static Task<bool> Settings(NpgsqlDataSource source, LogHandle handle, string settings,
        long? durableSince) =>
        Statement(source, handle, $"UPDATE streams SET settings = $3, durable_since = $4 WHERE {Admitted}")
            .With(settings).With(durableSince).Changes();

    public static Task<bool> Complete(NpgsqlDataSource source, LogHandle handle) =>
        Statement(source, handle, $"UPDATE streams SET completed = true WHERE {Admitted}").Changes();

    /// <summary>Remembers how far the stream is trimmed; deleting comes after.</summary>
    public static Task<bool> Trim(NpgsqlDataSource source, LogHandle handle, long through) =>
        Statement(source, handle, $"UPDATE streams SET trimmed = greatest(trimmed, $3) WHERE {Admitted}")
            .With(through).Changes();

    /// <summary>Nobody can see the stream any more; its events, keys and what is parked are purged later.</summary>
    public static Task<bool> Bury(NpgsqlDataSource source, LogHandle handle, long nowMs) =>
        Statement(source, handle, $"""
            WITH held AS (
                UPDATE streams SET deleted = $3, settings = NULL WHERE {Admitted} RETURNING id),
            purged AS (INSERT INTO purges(stream) SELECT id FROM held),
            rings_gone AS (DELETE FROM rings USING held WHERE rings.stream = held.id),
            subscribers_gone AS (DELETE FROM subscribers USING held WHERE subscribers.stream = held.id)
            SELECT id FROM held
            """).With(nowMs).Finds();

    public static Task<bool> RemoveSubscriber(NpgsqlDataSource source, LogHandle handle, string name) =>
        Statement(source, handle, $"""
            WITH {Held},
            gone AS (DELETE FROM subscribers s USING held WHERE s.stream = held.id AND s.name = $3),
            unparked AS (DELETE FROM parked p USING held WHERE p.stream = held.id AND p.subscriber = $3)
            SELECT id FROM held
            """).With(name).Finds();

    /// <summary>A subscriber's state with what is parked for it.</summary>
    public static Task<bool> Subscriber(NpgsqlDataSource source, LogHandle handle, SubscriberWrite write) =>
        Statement(source, handle, s_subscriber)
            .With(write.Wakes).With(write.Name).With(write.State).WithParked(write).Finds();

    private static readonly string s_subscriber = $"""
        WITH {Held},
        saved AS (
            INSERT INTO subscribers(stream, wakes, name, state) SELECT id, $3, $4, $5 FROM held
            ON CONFLICT (stream, name) DO UPDATE SET state = excluded.state, wakes = excluded.wakes),
        {ParkedRows.Sql("$4")}
        """;

    private static NpgsqlCommand Statement(NpgsqlDataSource source, LogHandle handle, string sql)
    {
#pragma warning disable CA2100 // Made of constants.
        var command = source.CreateCommand(sql);
#pragma warning restore CA2100
        return command.With(handle.Id).With(handle.Epoch);
    }
}
