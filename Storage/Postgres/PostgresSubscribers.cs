using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Rows of subscribers that have an owner of their own. Every write begins with the subscriber's row, locked
/// if its epoch is still the writer's; false when it is not, and nothing is written then.</summary>
internal static class PostgresSubscribers
{
    private const string TakeSql = """
        WITH found AS (SELECT id FROM streams WHERE name = $1 AND deleted IS NULL),
        taken AS (
            UPDATE subscribers s SET epoch = greatest(s.epoch + 1, $3) FROM found
            WHERE s.stream = found.id AND s.name = $2 RETURNING s.epoch, s.state)
        SELECT found.id, taken.epoch, taken.state FROM found LEFT JOIN taken ON true
        """;

    private const string CreateSql = """
        INSERT INTO subscribers(stream, wakes, name, state, epoch)
        SELECT id, $2, $3, $4, $5 FROM streams WHERE id = $1 AND deleted IS NULL
        ON CONFLICT (stream, name) DO NOTHING
        """;

    private const string ParkedSql =
        "SELECT seq, parked FROM parked WHERE stream = $1 AND subscriber = $2 ORDER BY seq";

    private const string Owned = "s.stream = $1 AND s.name = $2 AND s.epoch = $3";

    public static async Task<OpenedSubscriber?> Open(NpgsqlDataSource source, string stream, string name,
        SubscriberWrite? create, long nowMs)
    {
        while (true)
        {
            if (await Take(source, stream, name, nowMs) is not { } found) return null;
            if (found.State is { } state)
            {
                var parked = await Parked(source, found.Handle);
                return new OpenedSubscriber(found.Handle, new SubscriberRecord(name, state, parked));
            }
            if (create is null) return new OpenedSubscriber(found.Handle, null);
            var made = await source.CreateCommand(CreateSql).With(found.Handle.Stream).With(create.Wakes).With(name)
                .With(create.State).With(nowMs).Changes();
            if (made) return new OpenedSubscriber(found.Handle with { Epoch = nowMs },
                new SubscriberRecord(name, create.State, []));
        }
    }

    /// <summary>The state with what is parked.</summary>
    public static Task<bool> Save(NpgsqlDataSource source, SubscriberHandle handle, SubscriberWrite write) =>
        Statement(source, handle, s_save).With(write.Wakes).With(write.State).WithParked(write).Finds();

    private static readonly string s_save = $"""
        WITH held AS (UPDATE subscribers s SET state = $5, wakes = $4 WHERE {Owned} RETURNING s.stream AS id),
        {ParkedRows.Sql("$2")}
        """;

    public static Task<bool> Remove(NpgsqlDataSource source, SubscriberHandle handle) =>
        Statement(source, handle, $"""
            WITH gone AS (DELETE FROM subscribers s WHERE {Owned} RETURNING s.stream AS id),
            unparked AS (DELETE FROM parked p USING gone WHERE p.stream = gone.id AND p.subscriber = $2)
            SELECT id FROM gone
            """).Finds();

    private static async Task<(SubscriberHandle Handle, byte[]? State)?> Take(NpgsqlDataSource source, string stream,
        string name, long nowMs)
    {
        await using var command = source.CreateCommand(TakeSql).With(stream).With(name).With(nowMs);
        await using var row = await command.ExecuteReaderAsync();
        if (!await row.ReadAsync()) return null;
        var id = row.GetInt64(0);
        return row.IsDBNull(1) ? (new(id, name, 0), null)
            : (new(id, name, row.GetInt64(1)), row.GetFieldValue<byte[]>(2));
    }

    private static async Task<IReadOnlyList<ParkedMark>> Parked(NpgsqlDataSource source, SubscriberHandle handle)
    {
        var marks = new List<ParkedMark>();
        await using var command = source.CreateCommand(ParkedSql).With(handle.Stream).With(handle.Name);
        await using var row = await command.ExecuteReaderAsync();
        while (await row.ReadAsync()) marks.Add(new ParkedMark(row.GetInt64(0), row.GetInt64(1)));
        return marks;
    }

    private static NpgsqlCommand Statement(NpgsqlDataSource source, SubscriberHandle handle, string sql)
    {
#pragma warning disable CA2100 // Made of constants.
        var command = source.CreateCommand(sql);
#pragma warning restore CA2100
        return command.With(handle.Stream).With(handle.Name).With(handle.Epoch);
    }
}
