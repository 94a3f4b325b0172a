using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Runs of events and their keys. A group of them, over all streams of a writer, is one statement: it locks
/// the writer's row, if nobody has taken a stream from it since it last looked, and writes the rows. The lock makes
/// whoever takes one of these streams meanwhile wait.</summary>
internal sealed class AppendWrite : PostgresWrite
{
    private const string Sql = """
        WITH mine AS MATERIALIZED (SELECT id FROM owners WHERE id = $1 AND turn = $2 FOR SHARE),
        stored AS (
            INSERT INTO runs(stream, first, last, appended, count, critical, bytes, slots, frames, keys_until, keys)
            SELECT r.* FROM mine, unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[], $8::int[],
                $9::int[], $10::bytea[], $11::bytea[], $12::bigint[], $13::bytea[]) r),
        kept AS (
            INSERT INTO kept_keys(stream, first, until, keys)
            SELECT k.* FROM mine, unnest($14::bigint[], $15::bigint[], $16::bigint[], $17::bytea[]) k
            ON CONFLICT (stream, first) DO UPDATE SET until = greatest(kept_keys.until, excluded.until),
                keys = kept_keys.keys || excluded.keys)
        SELECT id FROM mine
        """;

    private readonly PostgresOwners _owners;
    private readonly List<AppendRow> _rows = [];
    private readonly bool _rises;

    /// <summary>Keys without events.</summary>
    private readonly AppendRow? _bare;

    public AppendWrite(PostgresOwners owners, LogHandle handle, IReadOnlyList<EventRun> runs,
        IReadOnlyList<LogKey> keys) : base(handle)
    {
        _owners = owners;
        _rises = StoredRuns.Rise(runs, long.MinValue);
        // A run of its own stays where it is until the task completes; one that is put together does not.
        var lasts = runs.Count == 1;
        StoredRuns.Write(runs, run => _rows.Add(AppendRow.Of(handle.Id, run, lasts)));
        foreach (var row in _rows) Bytes += row.Frames.Length + row.Slots.Length;
        foreach (var key in keys)
        {
            var row = _rows.FindLast(each => each.First <= key.Seq)
                ?? (_rows.Count > 0 ? _rows[0] : _bare ??= AppendRow.Bare(handle.Id, key.Seq));
            row.Add(key);
        }
    }

    public override bool CanShare => true;

    public override long Bytes { get; }

    public override async Task<IReadOnlyList<PostgresWrite>> Commit(NpgsqlDataSource source,
        IReadOnlyList<PostgresWrite> group)
    {
        var shares = new Dictionary<LogHandle, Share>();
        foreach (AppendWrite write in group)
        {
            if (!shares.TryGetValue(write.Handle, out var share))
                shares.Add(write.Handle, share = new Share(write.Handle));
            share.Add(write);
        }
        var mine = shares.Values.Where(each => !each.IsBroken).ToList();
        while (mine.Count > 0)
        {
            var unseen = mine.FindAll(each => !_owners.IsSeen(each.Handle));
            if (unseen.Count > 0)
            {
                await _owners.Look(unseen.ConvertAll(each => each.Handle));
                // A turn may have passed for the others.
                mine.RemoveAll(each => unseen.Contains(each) && !_owners.IsSeen(each.Handle));
                continue;
            }
            mine.RemoveAll(each => !_owners.Admits(each.Handle, each.First));
            if (mine.Count == 0) break;
            if (await Write(source, mine)) return Left(group, shares, mine);
            await _owners.Look(mine.ConvertAll(each => each.Handle));
            mine.RemoveAll(each => !_owners.IsSeen(each.Handle));
        }
        return group;
    }

    public override async Task<Exception> Refusal(NpgsqlDataSource source)
    {
        var admitted = await source.CreateCommand(
            "SELECT 1 FROM streams WHERE id = $1 AND epoch = $2 AND deleted IS NULL AND close_end IS NULL")
            .With(Handle.Id).With(Handle.Epoch).Finds();
        if (admitted)
            return new InvalidOperationException($"Stream {Handle.Id} already has events with these numbers.");
        _owners.Leave(Handle);
        return PostgresFailure.Fenced(Handle);
    }

    private static IReadOnlyList<PostgresWrite> Left(IReadOnlyList<PostgresWrite> group,
        Dictionary<LogHandle, Share> shares, List<Share> written)
    {
        if (written.Count == shares.Count) return [];
        var taken = written.ConvertAll(each => each.Handle).ToHashSet();
        return [.. group.Where(write => !taken.Contains(write.Handle))];
    }

    /// <summary>False when somebody has taken a stream of this writer's.</summary>
    private async Task<bool> Write(NpgsqlDataSource source, List<Share> shares)
    {
        try
        {
            if (!await Statement(source, shares).Finds()) return false;
        }
        catch
        {
            foreach (var share in shares) _owners.Doubt(share.Handle);
            throw;
        }
        foreach (var share in shares.Where(each => each.Last > long.MinValue)) _owners.Stored(share.Handle, share.Last);
        return true;
    }

    private NpgsqlCommand Statement(NpgsqlDataSource source, List<Share> shares)
    {
        var (rows, bare) = (new List<AppendRow>(shares.Count), new List<AppendRow>());
        foreach (var share in shares)
        {
            foreach (var write in share.Writes)
            {
                rows.AddRange(write._rows);
                if (write._bare is { } keys) bare.Add(keys);
            }
        }
        return source.CreateCommand(Sql)
            .With(_owners.IdOf(Handle.Epoch))
            .With(_owners.TurnOf(Handle.Epoch))
            .WithEach(rows, static row => row.Stream)
            .WithEach(rows, static row => row.First)
            .WithEach(rows, static row => row.Last)
            .WithEach(rows, static row => row.AppendedMs)
            .WithEach(rows, static row => row.Count)
            .WithEach(rows, static row => row.Critical)
            .WithEach(rows, static row => row.Frames.Length)
            .WithEach(rows, static row => row.Slots)
            .WithEach(rows, static row => row.Frames)
            .WithEach(rows, static row => row.KeysUntilMs)
            .WithEach(rows, static row => row.Keys)
            .WithEach(bare, static row => row.Stream)
            .WithEach(bare, static row => row.First)
            .WithEach(bare, static row => row.KeysUntilMs)
            .WithEach(bare, static row => row.Keys);
    }

    /// <summary>What one handle appends in a group.</summary>
    private sealed class Share(LogHandle handle)
    {
        public LogHandle Handle { get; } = handle;

        public List<AppendWrite> Writes { get; } = [];

        public long First { get; private set; } = long.MaxValue;

        public long Last { get; private set; } = long.MinValue;

        /// <summary>Numbers do not rise within it: its writes are to be tried one by one, and one that is alone is
        /// not to be tried at all.</summary>
        public bool IsBroken { get; private set; }

        public void Add(AppendWrite write)
        {
            var rows = write._rows;
            IsBroken |= !write._rises || (rows.Count > 0 && Last >= rows[0].First);
            if (IsBroken) return;
            Writes.Add(write);
            if (rows.Count == 0) return;
            First = Math.Min(First, rows[0].First);
            Last = rows[^1].Last;
        }
    }
}
