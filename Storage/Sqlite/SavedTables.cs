using System.Runtime.InteropServices;
using System.Text;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>What is kept beside a stream's events: the ring of a graceful close, and subscribers' states.</summary>
internal sealed class SavedTables(SqliteDatabase database)
{
    private readonly SqliteStatement _saveRing = database.Prepare(
        "INSERT OR REPLACE INTO rings(stream, crc, slots, frames) VALUES(?1, ?2, ?3, ?4)");

    private readonly SqliteStatement _readRing = database.Prepare(
        "SELECT crc, slots, frames FROM rings WHERE stream = ?1");

    private readonly SqliteStatement _deleteRing = database.Prepare("DELETE FROM rings WHERE stream = ?1");

    private readonly SqliteStatement _saveSubscriber = database.Prepare("""
        INSERT INTO subscribers(stream, name, crc, state, wakes) VALUES(?1, ?2, ?3, ?4, ?5)
        ON CONFLICT(stream, name) DO UPDATE SET crc = excluded.crc, state = excluded.state, wakes = excluded.wakes
        """);

    private readonly SqliteStatement _readSubscribers = database.Prepare(
        "SELECT name, state FROM subscribers WHERE stream = ?1 ORDER BY name");

    private readonly SqliteStatement _deleteSubscriber = database.Prepare(
        "DELETE FROM subscribers WHERE stream = ?1 AND name = ?2");

    private readonly SqliteStatement _deleteSubscribers = database.Prepare(
        "DELETE FROM subscribers WHERE stream = ?1");

    public void SaveRing(long stream, EventRun ring)
    {
        var slots = MemoryMarshal.AsBytes(ring.Slots);
        var frames = ring.Frames.Span;
        _saveRing.Bind(1, stream).Bind(2, Crc.Of(stream, slots, frames)).Bind(3, slots).Bind(4, frames).Run();
    }

    /// <summary>Takes the ring out of storage; null when there is none.</summary>
    public EventRun? TakeRing(long stream)
    {
        EventRun ring;
        try
        {
            if (!_readRing.Bind(1, stream).Step()) return null;
            ring = RunBlobs.ReadWhole(stream, _readRing, crc: 0, slots: 1, frames: 2);
        }
        finally
        {
            _readRing.Reset();
        }
        DeleteRing(stream);
        return ring;
    }

    public void DeleteRing(long stream) => _deleteRing.Bind(1, stream).Run();

    public void SaveSubscriber(long stream, string name, ReadOnlySpan<byte> state, bool wakes) =>
        _saveSubscriber.Bind(1, stream).Bind(2, name).Bind(3, CrcOf(stream, name, state)).Bind(4, state)
            .Bind(5, wakes ? 1L : 0L).Run();

    public List<SubscriberRecord> ReadSubscribers(long stream, Dictionary<string, List<ParkedMark>> parked)
    {
        var subscribers = new List<SubscriberRecord>();
        _readSubscribers.Bind(1, stream);
        while (_readSubscribers.Step())
        {
            var name = _readSubscribers.Text(0);
            subscribers.Add(new SubscriberRecord(name, _readSubscribers.Blob(1).ToArray(),
                parked.GetValueOrDefault(name, [])));
        }
        return subscribers;
    }

    public void RemoveSubscriber(long stream, string name) =>
        _deleteSubscriber.Bind(1, stream).Bind(2, name).Run();

    public void DeleteAll(long stream)
    {
        DeleteRing(stream);
        _deleteSubscribers.Bind(1, stream).Run();
    }

    public static uint CrcOf(long stream, string name, ReadOnlySpan<byte> state) =>
        Crc.Of(stream, Encoding.UTF8.GetBytes(name), state);
}
