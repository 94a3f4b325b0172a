using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Reads what must be in memory of streams that were opened, all in one round trip.</summary>
internal sealed class PostgresReadBack(NpgsqlDataSource source)
{
    private static readonly string[] s_queries =
    [
        """
        SELECT stream, first, last, count, bytes, appended, CASE WHEN keys_until >= $2 THEN keys END
        FROM runs WHERE stream = ANY($1) ORDER BY stream, first
        """,
        // As a version before has written them.
        "SELECT stream, key, hash, epoch, seq, expires FROM keys WHERE stream = ANY($1) AND expires >= $2",
        "SELECT stream, keys FROM kept_keys WHERE stream = ANY($1) AND until >= $2",
        "SELECT stream, subscriber, seq, parked FROM parked WHERE stream = ANY($1) ORDER BY stream, subscriber, seq",
        "SELECT stream, name, state FROM subscribers WHERE stream = ANY($1) ORDER BY stream, name",
    ];

    public async Task Read(IReadOnlyList<TakenStream> streams)
    {
        if (streams.Count == 0) return;
        var ids = streams.Select(each => each.Row.Id).ToArray();
        var byId = streams.ToDictionary(each => each.Row.Id);
        await using var batch = source.CreateBatch();
        foreach (var query in s_queries)
        {
            var command = new NpgsqlBatchCommand(query);
            command.Parameters.Add(new NpgsqlParameter<long[]> { TypedValue = ids });
            if (query.Contains("$2", StringComparison.Ordinal))
                command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = streams.Min(each => each.NowMs) });
            batch.BatchCommands.Add(command);
        }
        await using var row = await batch.ExecuteReaderAsync();
        while (await row.ReadAsync())
        {
            var stream = byId[row.GetInt64(0)];
            stream.Extents.Add(new Extent(row.GetInt64(1), row.GetInt64(2), row.GetInt32(3), row.GetInt32(4),
                row.GetInt64(5)));
            if (!row.IsDBNull(6)) stream.Add(KeyBlob.Read(row.GetFieldValue<byte[]>(6)));
        }
        await row.NextResultAsync();
        while (await row.ReadAsync()) byId[row.GetInt64(0)].Add([Key(row)]);
        await row.NextResultAsync();
        while (await row.ReadAsync())
            byId[row.GetInt64(0)].Add(KeyBlob.Read(row.GetFieldValue<byte[]>(1)));
        await row.NextResultAsync();
        while (await row.ReadAsync())
            byId[row.GetInt64(0)].Park(row.GetString(1), new ParkedMark(row.GetInt64(2), row.GetInt64(3)));
        await row.NextResultAsync();
        while (await row.ReadAsync()) byId[row.GetInt64(0)].Add(row.GetString(1), row.GetFieldValue<byte[]>(2));
    }

    private static LogKey Key(NpgsqlDataReader row) => new(
        System.Text.Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(1)),
        HashBytes.Read(row.GetFieldValue<byte[]>(2)), unchecked((ulong)row.GetInt64(3)), row.GetInt64(4),
        row.GetInt64(5));
}

/// <summary>A stream whose row was taken, while it is read back.</summary>
internal sealed class TakenStream(StreamRow row, EpochRecord[] epochs, long nowMs)
{
    private readonly Dictionary<string, LogKey> _keys = new(StringComparer.Ordinal);
    private readonly List<SubscriberRecord> _subscribers = [];
    private readonly Dictionary<string, List<ParkedMark>> _parked = new(StringComparer.Ordinal);

    public StreamRow Row { get; } = row;

    public EpochRecord[] Epochs { get; } = epochs;

    /// <summary>What a graceful close left; null when there was none, or it left nothing.</summary>
    public EventRun? Ring { get; set; }

    public ExtentList Extents { get; } = new();

    public long NowMs => nowMs;

    /// <summary>Of those that were given twice, the last counts.</summary>
    public void Add(IEnumerable<LogKey> keys)
    {
        foreach (var key in keys)
            if (key.ExpiresMs >= nowMs && !(_keys.TryGetValue(key.Key, out var known) && known.Seq > key.Seq))
                _keys[key.Key] = key;
    }

    /// <summary>What is parked for a subscriber, before it is added itself.</summary>
    public void Park(string subscriber, ParkedMark mark)
    {
        if (!_parked.TryGetValue(subscriber, out var marks)) _parked.Add(subscriber, marks = []);
        marks.Add(mark);
    }

    public void Add(string subscriber, byte[] state) =>
        _subscribers.Add(new SubscriberRecord(subscriber, state, _parked.GetValueOrDefault(subscriber, [])));

    public OpenedStream Opened() => Row.Opened(Epochs, Ring, Extents.Finish(),
        [.. _keys.Values.OrderBy(each => each.Seq)], _subscribers);
}
