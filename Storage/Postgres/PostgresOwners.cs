using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>
/// As whom this process owns streams: a row for each of its writers, and which streams are theirs. An append locks its
/// writer's row and checks that its turn is still the one that this process knows, whatever the number of its streams:
/// their own rows are not touched.
/// <para>Whoever takes a stream moves its last owner's turn on in the same statement. So an append that was under way
/// is waited for, and the next one is refused: then the writer looks which of its streams are still its own, in one
/// statement together with the turn, and goes on with those. A stream is its writer's as of the turn in which that was
/// last seen; what was not looked at since, or never, is looked at before it is written. Streams that are not appended
/// to cost nothing here. Thread-safe.</para>
/// </summary>
internal sealed class PostgresOwners
{
    private readonly NpgsqlDataSource _source;
    private readonly (long Id, long Turn)[] _rows;
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Held> _held = [];

    private PostgresOwners(NpgsqlDataSource source, (long, long)[] rows) => (_source, _rows) = (source, rows);

    /// <summary>Makes the rows.</summary>
    public static PostgresOwners Register(NpgsqlDataSource source, int writers) =>
        new(source, [.. Enumerable.Range(0, writers).Select(_ =>
        {
            using var command = source.CreateCommand("INSERT INTO owners(turn) VALUES(1) RETURNING id");
            return ((long)command.ExecuteScalar()!, 1L);
        })]);

    /// <summary>Which writer an opening's writes go through.</summary>
    public int WriterOf(ulong epoch) => (int)(epoch % (ulong)_rows.Length);

    /// <summary>Whose the stream is in storage's eyes.</summary>
    public long IdOf(ulong epoch) => _rows[WriterOf(epoch)].Id;

    public long TurnOf(ulong epoch)
    {
        lock (_lock) return _rows[WriterOf(epoch)].Turn;
    }

    /// <summary>Nothing is appended any more.</summary>
    public void Leave(LogHandle handle)
    {
        lock (_lock)
            if (Has(handle, out _)) _held.Remove(handle.Id);
    }

    /// <summary>Whether no append may still be under way at storage that this process has given up.</summary>
    public bool IsSure(LogHandle handle)
    {
        lock (_lock) return !Has(handle, out var held) || held.IsSure;
    }

    /// <summary>Whether the stream was looked at in the writer's present turn, and was its own.</summary>
    public bool IsSeen(LogHandle handle)
    {
        lock (_lock) return Has(handle, out var held) && held.Turn == _rows[WriterOf(handle.Epoch)].Turn;
    }

    /// <summary>Whether events from a number on can be appended to what was seen.</summary>
    public bool Admits(LogHandle handle, long first)
    {
        lock (_lock) return Has(handle, out var held) && held.Stored < first;
    }

    public void Stored(LogHandle handle, long last)
    {
        lock (_lock)
            if (Has(handle, out var held)) _held[handle.Id] = held with { Stored = last };
    }

    /// <summary>The outcome of an append is not known.</summary>
    public void Doubt(LogHandle handle)
    {
        lock (_lock)
            if (Has(handle, out var held)) _held[handle.Id] = held with { IsSure = false };
    }

    /// <summary>Looks which of one writer's streams are its own, and forgets the others.</summary>
    public async Task Look(IReadOnlyList<LogHandle> handles)
    {
        var writer = WriterOf(handles[0].Epoch);
        var (turn, mine) = ((long?)null, new Dictionary<LogHandle, long>());
        await using (var command = _source.CreateCommand("""
            SELECT o.turn, s.id, s.epoch,
                coalesce((SELECT last FROM runs WHERE stream = s.id ORDER BY first DESC LIMIT 1), 0)
            FROM owners o LEFT JOIN streams s ON s.id = ANY($2) AND s.owner = o.id AND s.deleted IS NULL
                AND s.close_end IS NULL
            WHERE o.id = $1
            """).With(_rows[writer].Id).With(handles.Select(each => each.Id).ToArray()))
        {
            await using var row = await command.ExecuteReaderAsync();
            while (await row.ReadAsync())
            {
                turn = row.GetInt64(0);
                if (!row.IsDBNull(1))
                    mine.Add(new LogHandle(row.GetInt64(1), unchecked((ulong)row.GetInt64(2))), row.GetInt64(3));
            }
        }
        if (turn is null)
            throw new NpgsqlException("This server is not among the owners any more: it must be started again.");
        lock (_lock)
        {
            _rows[writer].Turn = turn.Value;
            foreach (var handle in handles)
            {
                if (mine.TryGetValue(handle, out var stored))
                    _held[handle.Id] = new Held(handle.Epoch, turn.Value, stored,
                        !Has(handle, out var held) || held.IsSure);
                else if (Has(handle, out _)) _held.Remove(handle.Id);
            }
        }
    }

    private bool Has(LogHandle handle, out Held held) =>
        _held.TryGetValue(handle.Id, out held) && held.Epoch == handle.Epoch;

    private readonly record struct Held(ulong Epoch, long Turn, long Stored, bool IsSure);
}
