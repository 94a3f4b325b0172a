namespace OrleansEvents.Storage.Sqlite;

/// <summary>Walks a damaged table by row number, steps over what cannot be read, and counts it.</summary>
internal sealed class RowWalk(SqliteDatabase database, string table, string columns)
{
    private const long LastId = long.MaxValue / 4;

    private readonly SqliteStatement _seek = database.Prepare(
        $"SELECT rowid FROM {table} WHERE rowid >= ?1 ORDER BY rowid LIMIT 1");

    private readonly SqliteStatement _read = database.Prepare($"SELECT {columns} FROM {table} WHERE rowid = ?1");

    private long _regions;

    /// <summary>Gives each readable row to <paramref name="take"/>, which says whether it was whole; returns how many
    /// were lost. A damaged page counts as one row, unless an index tells how many rows there were.</summary>
    public long Run(Func<SqliteStatement, bool> take)
    {
        var (taken, lost) = (0L, 0L);
        for (var id = Next(1); id is { } found and < LastId; id = Next(found + 1))
        {
            if (TryTake(found, take)) taken++;
            else lost++;
        }
        return Math.Max(lost + _regions, Counted() - taken);
    }

    private bool TryTake(long id, Func<SqliteStatement, bool> take)
    {
        try
        {
            return _read.Bind(1, id).Step() && take(_read);
        }
        catch (SqliteFailure failure) when (failure.IsDamage)
        {
            return false;
        }
        finally
        {
            _read.Reset();
        }
    }

    /// <summary>The first row at or behind a number that can be found at all.</summary>
    private long? Next(long from)
    {
        if (Seek(from, out var id)) return id;
        _regions++;
        var (unreadable, step) = (from, 1L);
        while (!Seek(from + step, out _))
        {
            unreadable = from + step;
            if (step > LastId) return null;
            step *= 2;
        }
        var readable = from + step;
        while (readable - unreadable > 1)
        {
            var middle = unreadable + (readable - unreadable) / 2;
            if (Seek(middle, out _)) readable = middle;
            else unreadable = middle;
        }
        Seek(readable, out id);
        return id;
    }

    /// <summary>False when a damaged page is in the way; true and null behind the last row.</summary>
    private bool Seek(long from, out long? id)
    {
        id = null;
        try
        {
            if (_seek.Bind(1, from).Step()) id = _seek.Long(0);
            return id is null || id >= from;
        }
        catch (SqliteFailure failure) when (failure.IsDamage)
        {
            return false;
        }
        finally
        {
            _seek.Reset();
        }
    }

    private long Counted()
    {
        try
        {
            return database.Number($"SELECT count(*) FROM {table}");
        }
        catch (SqliteFailure failure) when (failure.IsDamage)
        {
            return 0;
        }
    }
}
