using System.Text;
using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Runs of events and their keys. A group of them, over all streams, is one statement: it moves each stream's
/// last number on, if the epoch is still the writer's and the numbers rise, and writes the rows of the streams that it
/// could move. That locks the row against whoever opens the stream meanwhile.</summary>
internal sealed class AppendWrite : PostgresWrite
{
    private const string Sql = """
        WITH held AS (
            UPDATE streams s SET stored = coalesce(w.last, s.stored)
            FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) w(n, id, epoch, first, last)
            WHERE s.id = w.id AND CASE
                WHEN s.epoch = w.epoch AND s.deleted IS NULL AND s.close_end IS NULL
                THEN w.first IS NULL OR s.stored < w.first ELSE false END
            RETURNING w.n, s.id),
        kept AS (
            INSERT INTO runs(stream, first, last, appended, count, critical, bytes, slots, frames)
            SELECT held.id, r.first, r.last, r.appended, r.count, r.critical, r.bytes, r.slots, r.frames
            FROM unnest($6::int[], $7::bigint[], $8::bigint[], $9::bigint[], $10::int[], $11::int[], $12::int[],
                $13::bytea[], $14::bytea[]) r(n, first, last, appended, count, critical, bytes, slots, frames)
            JOIN held ON held.n = r.n),
        keyed AS (
            INSERT INTO keys(stream, seq, expires, epoch, hash, key)
            SELECT held.id, k.seq, k.expires, k.epoch, k.hash, k.key
            FROM unnest($15::int[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bytea[], $20::bytea[])
                k(n, seq, expires, epoch, hash, key)
            JOIN held ON held.n = k.n
            ON CONFLICT (stream, key) DO UPDATE SET seq = excluded.seq, expires = excluded.expires,
                epoch = excluded.epoch, hash = excluded.hash)
        SELECT n FROM held
        """;

    private readonly List<Row> _rows = [];
    private readonly IReadOnlyList<LogKey> _keys;
    private readonly bool _rises;

    public AppendWrite(LogHandle handle, IReadOnlyList<EventRun> runs, IReadOnlyList<LogKey> keys) : base(handle)
    {
        _keys = keys;
        _rises = StoredRuns.Rise(runs, long.MinValue);
        // A run of its own stays where it is until the task completes; one that is put together does not.
        var lasts = runs.Count == 1;
        StoredRuns.Write(runs, run => _rows.Add(Row.Of(run, lasts)));
        foreach (var row in _rows) Bytes += row.Frames.Length + row.Slots.Length;
    }

    public override bool CanShare => true;

    public override long Bytes { get; }

    public override async Task<IReadOnlyList<PostgresWrite>> Commit(NpgsqlDataSource source,
        IReadOnlyList<PostgresWrite> group)
    {
        var streams = new Dictionary<LogHandle, Share>();
        foreach (AppendWrite write in group)
        {
            if (!streams.TryGetValue(write.Handle, out var share))
                streams.Add(write.Handle, share = new Share(write.Handle));
            share.Add(write);
        }
        var shares = streams.Values.Where(share => !share.IsBroken).ToArray();
        await using var command = Statement(source, shares);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync()) streams[shares[reader.GetInt32(0)].Handle].IsTaken = true;
        return [.. group.Where(write => !streams[write.Handle].IsTaken)];
    }

    public override async Task<Exception> Refusal(NpgsqlDataSource source)
    {
        var admitted = await source.CreateCommand(
            "SELECT 1 FROM streams WHERE id = $1 AND epoch = $2 AND deleted IS NULL AND close_end IS NULL")
            .With(Handle.Id).With(Handle.Epoch).Finds();
        return admitted
            ? new InvalidOperationException($"Stream {Handle.Id} already has events with these numbers.")
            : PostgresFailure.Fenced(Handle);
    }

    private static NpgsqlCommand Statement(NpgsqlDataSource source, Share[] shares)
    {
        var rows = shares.SelectMany((share, n) => share.Rows.Select(row => (N: n, Row: row))).ToArray();
        var keys = shares.SelectMany((share, n) => share.Keys.Values.Select(key => (N: n, Key: key))).ToArray();
        return source.CreateCommand(Sql)
            .With(Enumerable.Range(0, shares.Length).ToArray())
            .With(shares.Select(share => share.Handle.Id).ToArray())
            .With(shares.Select(share => unchecked((long)share.Handle.Epoch)).ToArray())
            .With(shares.Select(share => share.First).ToArray())
            .With(shares.Select(share => share.Last).ToArray())
            .With(rows.Select(each => each.N).ToArray())
            .With(rows.Select(each => each.Row.First).ToArray())
            .With(rows.Select(each => each.Row.Last).ToArray())
            .With(rows.Select(each => each.Row.AppendedMs).ToArray())
            .With(rows.Select(each => each.Row.Count).ToArray())
            .With(rows.Select(each => each.Row.Critical).ToArray())
            .With(rows.Select(each => each.Row.Frames.Length).ToArray())
            .With(rows.Select(each => each.Row.Slots).ToArray())
            .With(rows.Select(each => each.Row.Frames).ToArray())
            .With(keys.Select(each => each.N).ToArray())
            .With(keys.Select(each => each.Key.Seq).ToArray())
            .With(keys.Select(each => each.Key.ExpiresMs).ToArray())
            .With(keys.Select(each => unchecked((long)each.Key.Epoch)).ToArray())
            .With(keys.Select(each => HashBytes.Of(each.Key.Hash)).ToArray())
            .With(keys.Select(each => Encoding.UTF8.GetBytes(each.Key.Key)).ToArray());
    }

    /// <summary>What one handle appends in a group.</summary>
    private sealed class Share(LogHandle handle)
    {
        public LogHandle Handle { get; } = handle;

        public long? First { get; private set; }

        public long? Last { get; private set; }

        public List<Row> Rows { get; } = [];

        public Dictionary<string, LogKey> Keys { get; } = new(StringComparer.Ordinal);

        /// <summary>Numbers do not rise within it: its writes are to be tried one by one, and one that is alone is
        /// not to be tried at all.</summary>
        public bool IsBroken { get; private set; }

        public bool IsTaken { get; set; }

        public void Add(AppendWrite write)
        {
            var rows = write._rows;
            IsBroken |= !write._rises || (rows.Count > 0 && Last >= rows[0].First);
            if (IsBroken) return;
            foreach (var key in write._keys) Keys[key.Key] = key;
            if (rows.Count == 0) return;
            First ??= rows[0].First;
            Last = rows[^1].Last;
            Rows.AddRange(rows);
        }
    }

    private readonly record struct Row(long First, long Last, long AppendedMs, int Count, int Critical,
        byte[] Slots, ReadOnlyMemory<byte> Frames)
    {
        public static Row Of(EventRun run, bool lasts) => new(run.First, run.Last, run.Slots[^1].AppendedMs, run.Count,
            StoredRuns.CountCritical(run.Slots), RunColumns.Slots(run),
            lasts ? run.Frames : run.Frames.ToArray());
    }
}
