using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// One timer for all connections: a wheel of 100 ms ticks, in which heartbeats lie spread, since every connection
/// starts at its own moment.
/// </summary>
internal sealed class ConnectionClock : IDisposable
{
    private const int TickMs = 100;
    private const int Slots = 128;
    private readonly Lock _lock = new();
    private readonly List<(SseConnection Connection, long Tick)>[] _wheel = new List<(SseConnection, long)>[Slots];
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private long _tick;
    private int _count;
    private bool _running;

    public ConnectionClock(TimeProvider time)
    {
        _time = time;
        for (var i = 0; i < Slots; i++) _wheel[i] = [];
        _timer = time.CreateTimer(_ => Turn(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Looks at the connection when it wants to be looked at, until it is closed.</summary>
    public void Add(SseConnection connection)
    {
        lock (_lock)
        {
            if (_count++ == 0) _tick = Instant.Of(_time).Ms / TickMs;
            Put_UnderLock(connection, connection.NextLookMs);
            if (_running) return;
            _running = true;
            _timer.Change(TimeSpan.FromMilliseconds(TickMs), TimeSpan.FromMilliseconds(TickMs));
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Put_UnderLock(SseConnection connection, long dueMs)
    {
        var tick = Math.Max(dueMs / TickMs, _tick + 1);
        _wheel[tick % Slots].Add((connection, tick));
    }

    private void Turn()
    {
        var now = Instant.Of(_time).Ms;
        var due = new List<SseConnection>();
        lock (_lock)
        {
            for (var ticks = Math.Min(now / TickMs - _tick, Slots); ticks > 0; ticks--)
                Collect_UnderLock(_wheel[++_tick % Slots], now / TickMs, due);
            _tick = now / TickMs;
        }
        foreach (var connection in due) connection.Look(now);
        lock (_lock)
        {
            foreach (var connection in due)
            {
                if (connection.IsClosed) _count--;
                else Put_UnderLock(connection, connection.NextLookMs);
            }
            if (_count > 0) return;
            _running = false;
            _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private static void Collect_UnderLock(List<(SseConnection Connection, long Tick)> slot, long now,
        List<SseConnection> due)
    {
        for (var i = slot.Count - 1; i >= 0; i--)
        {
            if (slot[i].Tick > now) continue;
            due.Add(slot[i].Connection);
            slot[i] = slot[^1];
            slot.RemoveAt(slot.Count - 1);
        }
    }
}
