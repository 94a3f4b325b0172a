using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>
/// Opens streams: all that wait, in the same few statements. What an opening makes of its row is decided here and
/// written if the row is still what was read; otherwise it is read again. No lock is held while this process thinks.
/// </summary>
internal sealed class PostgresOpening(NpgsqlDataSource source, PostgresOwners owners)
{
    /// <summary>Groups under way: while one is at the database, the next is at this process.</summary>
    private const int Groups = 2;

    private const int MostInGroup = 256;

    private const string FindSql = $"SELECT {StreamColumns.All}, name FROM streams WHERE name = ANY($1)";

    private const string CreateSql = """
        INSERT INTO streams(epoch, stored, reserved, trimmed, created, completed, name, epochs, owner)
        SELECT w.epoch, 0, w.reserved, 0, w.created, false, w.name, w.epochs, w.owner
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::bigint[])
            w(epoch, reserved, created, name, epochs, owner)
        ON CONFLICT (name) DO NOTHING RETURNING id, name
        """;

    // Another id than the tombstone's: whoever still reads by the old one must not see the new stream.
    private const string ReplaceSql = """
        WITH gone AS (DELETE FROM streams WHERE id = $6 AND deleted IS NOT NULL RETURNING id),
        made AS (
            INSERT INTO streams(epoch, stored, reserved, trimmed, created, completed, name, epochs, owner)
            SELECT $1, 0, $2, 0, $3, false, $4, $5, $7 FROM gone RETURNING id)
        SELECT id FROM made
        """;

    private const string TakeSql = """
        WITH taken AS (
            UPDATE streams s SET epoch = w.epoch, reserved = w.reserved, epochs = w.epochs,
                close_end = NULL, close_floor = NULL, owner = w.owner, openings = s.openings + 1
            FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::bigint[], $10::bigint[])
                w(n, id, epoch, reserved, epochs, epoch_was, reserved_was, end_was, owner, owner_was)
            WHERE s.id = w.id AND s.epoch = w.epoch_was AND s.reserved = w.reserved_was
                AND s.close_end IS NOT DISTINCT FROM w.end_was AND s.deleted IS NULL
                AND s.owner IS NOT DISTINCT FROM w.owner_was
            RETURNING w.n, s.id, w.owner_was),
        fenced AS (UPDATE owners SET turn = turn + 1 WHERE id IN (SELECT owner_was FROM taken)),
        ring AS (DELETE FROM rings USING taken WHERE rings.stream = taken.id
            RETURNING rings.stream, rings.slots, rings.frames)
        SELECT taken.n, ring.slots, ring.frames FROM taken LEFT JOIN ring ON ring.stream = taken.id
        """;

    private readonly Lock _lock = new();
    private readonly List<Opening> _waiting = [];
    private readonly HashSet<string> _underWay = new(StringComparer.Ordinal);
    private readonly PostgresReadBack _readBack = new(source);
    private int _groups;

    public Task<OpenedStream?> Open(string name, ulong epoch, bool create, long nowMs)
    {
        var opening = new Opening(name, epoch, create, nowMs);
        lock (_lock)
        {
            _waiting.Add(opening);
            if (_groups == Groups) return opening.Task;
            _groups++;
        }
        _ = Run();
        return opening.Task;
    }

    private async Task Run()
    {
        // Whoever opens many begins them all before the first is at the database.
        await Task.Yield();
        while (Take() is { } group)
        {
            await OpenEach(group);
            lock (_lock) _underWay.ExceptWith(group.Select(each => each.Name));
        }
    }

    /// <summary>The next group, in which every name is once; null, and one group less is under way, when there is
    /// none.</summary>
    private List<Opening>? Take()
    {
        lock (_lock)
        {
            var group = new List<Opening>();
            for (var i = 0; i < _waiting.Count && group.Count < MostInGroup; i++)
                if (_underWay.Add(_waiting[i].Name)) group.Add(_waiting[i]);
            if (group.Count == 0)
            {
                _groups--;
                return null;
            }
            var taken = group.ToHashSet();
            _waiting.RemoveAll(taken.Contains);
            return group;
        }
    }

    private async Task OpenEach(List<Opening> group)
    {
        try
        {
            for (var left = group; left.Count > 0;) left = await OpenSome(left);
        }
#pragma warning disable CA1031 // Whatever it is, those who wait are told.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            var alone = group.Count > 1 && !PostgresFailure.IsStorage(failure);
            foreach (var opening in group.Where(each => !each.Task.IsCompleted))
            {
                // One opening's own fault must not be its neighbours'.
                if (alone && !opening.IsTaken) await OpenEach([opening]);
                else opening.TrySetException(failure);
            }
        }
    }

    /// <summary>Tries; those whose row has changed meanwhile are left.</summary>
    private async Task<List<Opening>> OpenSome(List<Opening> group)
    {
        var rows = await Find(group);
        var (left, absent, there) = (new List<Opening>(), new List<Opening>(), new List<(Opening, StreamRow)>());
        foreach (var opening in group)
        {
            if (!rows.TryGetValue(opening.Name, out var row))
            {
                if (opening.Create) absent.Add(opening);
                else opening.TrySetResult(null);
            }
            else if (row.Deleted is null)
            {
                there.Add((opening, row));
            }
            else if (!opening.Create)
            {
                opening.TrySetResult(null);
            }
            else if (!await Replace(row, opening))
            {
                left.Add(opening);
            }
        }
        if (absent.Count > 0) await Create(absent);
        if (there.Count > 0) await Take(there);
        left.AddRange(absent.Where(each => !each.Task.IsCompleted));
        left.AddRange(there.Select(each => each.Item1).Where(each => !each.Task.IsCompleted));
        return left;
    }

    private async Task<Dictionary<string, StreamRow>> Find(List<Opening> group)
    {
        var rows = new Dictionary<string, StreamRow>(StringComparer.Ordinal);
        await using var command = source.CreateCommand(FindSql).With(group.Select(each => each.Name).ToArray());
        await using var row = await command.ExecuteReaderAsync();
        while (await row.ReadAsync()) rows.Add(row.GetString(12), StreamColumns.Read(row));
        return rows;
    }

    private async Task<bool> Replace(StreamRow tombstone, Opening opening)
    {
        var epochs = EpochHistory.Begin(opening.Epoch, tombstone.Reserved + 1);
        var reserved = EpochHistory.ReservedBy(epochs);
        await using var command = source.CreateCommand(ReplaceSql).With(opening.Epoch).With(reserved)
            .With(opening.NowMs).With(opening.Name).With(EpochBlob.Write(epochs)).With(tombstone.Id)
            .With(owners.IdOf(opening.Epoch));
        if (await command.ExecuteScalarAsync() is not long id) return false;
        opening.TrySetResult(NewStream.Opened(new LogHandle(id, opening.Epoch), opening.NowMs, epochs, reserved));
        return true;
    }

    private async Task Create(List<Opening> absent)
    {
        var made = absent.ToDictionary(each => each.Name,
            each => (Opening: each, Epochs: EpochHistory.Begin(each.Epoch, 1)), StringComparer.Ordinal);
        await using var command = source.CreateCommand(CreateSql)
            .With(made.Values.Select(each => unchecked((long)each.Opening.Epoch)).ToArray())
            .With(made.Values.Select(each => EpochHistory.ReservedBy(each.Epochs)).ToArray())
            .With(made.Values.Select(each => each.Opening.NowMs).ToArray())
            .With(made.Keys.ToArray())
            .With(made.Values.Select(each => EpochBlob.Write(each.Epochs)).ToArray())
            .With(made.Values.Select(each => owners.IdOf(each.Opening.Epoch)).ToArray());
        await using var row = await command.ExecuteReaderAsync();
        while (await row.ReadAsync())
        {
            var (opening, epochs) = made[row.GetString(1)];
            opening.TrySetResult(NewStream.Opened(new LogHandle(row.GetInt64(0), opening.Epoch), opening.NowMs, epochs,
                EpochHistory.ReservedBy(epochs)));
        }
    }

    private async Task Take(List<(Opening Opening, StreamRow Row)> there)
    {
        var next = there.ConvertAll(each => new TakenStream(each.Row, EpochHistory.Next(each.Row.Epochs,
            each.Opening.Epoch, each.Row.CloseEnd, each.Row.Reserved), each.Opening.NowMs));
        var taken = new List<(Opening Opening, TakenStream Stream)>();
        await using (var command = source.CreateCommand(TakeSql)
            .With(Enumerable.Range(0, next.Count).ToArray())
            .With(next.Select(each => each.Row.Id).ToArray())
            .With(next.Select(each => unchecked((long)each.Epochs[^1].Epoch)).ToArray())
            .With(next.Select(each => EpochHistory.ReservedBy(each.Epochs)).ToArray())
            .With(next.Select(each => EpochBlob.Write(each.Epochs)).ToArray())
            .With(next.Select(each => unchecked((long)each.Row.Epochs[^1].Epoch)).ToArray())
            .With(next.Select(each => each.Row.Reserved).ToArray())
            .With(next.Select(each => each.Row.CloseEnd).ToArray())
            .With(there.Select(each => owners.IdOf(each.Opening.Epoch)).ToArray())
            .With(next.Select(each => each.Row.Owner).ToArray()))
        {
            await using var row = await command.ExecuteReaderAsync();
            while (await row.ReadAsync())
            {
                var n = row.GetInt32(0);
                if (next[n].Row.CloseEnd is not null && !row.IsDBNull(1)) next[n].Ring = RunColumns.Read(row, 1);
                there[n].Opening.IsTaken = true;
                taken.Add((there[n].Opening, next[n]));
            }
        }
        await _readBack.Read(taken.ConvertAll(each => each.Stream));
        foreach (var (opening, stream) in taken) opening.TrySetResult(stream.Opened());
    }

    private sealed class Opening(string name, ulong epoch, bool create, long nowMs)
        : TaskCompletionSource<OpenedStream?>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public string Name { get; } = name;

        public ulong Epoch { get; } = epoch;

        public bool Create { get; } = create;

        public long NowMs { get; } = nowMs;

        /// <summary>Its row has its epoch: the same opening cannot be tried again.</summary>
        public bool IsTaken { get; set; }
    }
}
