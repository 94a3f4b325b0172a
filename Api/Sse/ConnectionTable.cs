using System.Collections.Concurrent;
using System.Security.Cryptography;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>All open connections, what they share, and what is said to all of them.</summary>
internal sealed class ConnectionTable : IDisposable
{
    private readonly ConcurrentDictionary<string, SseConnection> _connections = new(StringComparer.Ordinal);
    private readonly Sweeper[] _sweepers;
    private readonly ConnectionClock _clock;
    private int _nextSweeper;
    private readonly CancellationTokenSource _draining = new();
    private TaskCompletionSource? _emptied;
    private readonly ClientTable _clients;
    private readonly Lock _ending = new();
    private long _eventsOfEnded;
    private long _bytesOfEnded;

    public ConnectionTable(IEventStreams streams, SseOptions options, LimitsOptions limits, TimeProvider time,
        SystemEvents system, ConnectionCounts counts, ServerMeter meter, Operations operations,
        ILogger<SseConnection> logger)
    {
        (Streams, Options, Time, System, Counts, Logger) = (streams, options, time, system, counts, logger);
        (Meter, Operations) = (meter, operations);
        _sweepers = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Sweeper(time))];
        meter.Connections = counts;
        _clients = new ClientTable(options.Clients);
        PositionBytes = limits.PositionBytes;
        Unsent = new UnsentBytes(limits.UnsentBytes);
        meter.UnsentBytes = () => Unsent.Total;
        BegunMs = Now.UnixMs;
        _clock = new ConnectionClock(time);
        Owed = new OwedPace(options.OwedShare, time);
    }

    public IEventStreams Streams { get; }

    public SseOptions Options { get; }

    public TimeProvider Time { get; }

    public SystemEvents System { get; }

    public ConnectionCounts Counts { get; }

    public ServerMeter Meter { get; }

    public Operations Operations { get; }

    public ILogger Logger { get; }

    public UnsentBytes Unsent { get; }

    /// <summary>The turns of what is owed.</summary>
    public OwedPace Owed { get; }

    /// <summary>Open connections.</summary>
    public int Count => Counts.TotalClients;

    public IEnumerable<SseConnection> All => _connections.Values;

    public Instant Now => Instant.Of(Time);

    /// <summary>When the server began, Unix milliseconds.</summary>
    public long BegunMs { get; }

    /// <summary>The longest position over many streams.</summary>
    public int PositionBytes { get; }

    /// <summary>Whether the server is stopping: a new connection is told so at once.</summary>
    public bool IsDraining => _draining.IsCancellationRequested;

    /// <summary>Is cancelled when the server begins to stop.</summary>
    public CancellationToken Draining => _draining.Token;

    public Sweeper NextSweeper() => _sweepers[(uint)Interlocked.Increment(ref _nextSweeper) % _sweepers.Length];

    public static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    /// <summary>A time around a base, half to one and a half of it, so that many do not come back at once.</summary>
    public static long Jittered(TimeSpan around) =>
        (long)(around.TotalMilliseconds * (0.5 + RandomNumberGenerator.GetInt32(1001) / 1000.0));

    /// <summary>When the first comes of what comes again and again: in the last tenth of the time between, so that
    /// those of connections that began together do not come together.</summary>
    public static long Spread(TimeSpan every) =>
        (long)(every.TotalMilliseconds * (0.9 + RandomNumberGenerator.GetInt32(101) / 1000.0));

    /// <summary>How often this client has connected to the same before.</summary>
    public int Reconnects(string client, string streams)
    {
        var times = _clients.Came(client, streams);
        if (times > 0) Counts.Reconnects.Add();
        return times;
    }

    /// <summary>The open connection with this id.</summary>
    public SseConnection? Find(string id) => _connections.GetValueOrDefault(id);

    /// <summary>Events and bytes sent since the server began, on connections that are open or have ended.</summary>
    public (long Events, long Bytes) Sent()
    {
        // So that none is counted twice or not at all while it ends: these only grow.
        lock (_ending)
        {
            var (events, bytes) = (_eventsOfEnded, _bytesOfEnded);
            foreach (var (_, connection) in _connections)
                (events, bytes) = (events + connection.Events, bytes + connection.Bytes);
            return (events, bytes);
        }
    }

    public void Add(SseConnection connection)
    {
        _connections[connection.Id] = connection;
        Counts.Opened.Add();
        _clock.Add(connection);
        if (IsDraining) connection.Signal(Signals.Shutdown);
    }

    public void Remove(SseConnection connection)
    {
        lock (_ending)
        {
            if (!_connections.TryRemove(connection.Id, out _)) return;
            _eventsOfEnded += connection.Events;
            _bytesOfEnded += connection.Bytes;
        }
        Counts.Ended.Add();
        if (_connections.IsEmpty) Volatile.Read(ref _emptied)?.TrySetResult();
    }

    /// <summary>A problem as a frame, counted as told to so many.</summary>
    public byte[] Problem(ErrorCode code, string message, long? retryMs = null, int times = 1)
    {
        Meter.Told(code, "frame", times);
        return ProblemFrame.Make(Time, code, message, retryMs);
    }

    /// <summary>Tells every connection of a problem.</summary>
    public void Tell(ErrorCode code, string message) => Tell(Problem(code, message, times: Count));

    /// <summary>Says something to every connection.</summary>
    public void Tell(byte[] frame)
    {
        foreach (var connection in _connections.Values) connection.Tell(frame);
    }

    /// <summary>Tells everyone that the server stops; each connection ends when that is sent.</summary>
    public void Drain()
    {
        _draining.Cancel();
        foreach (var connection in _connections.Values) connection.Signal(Signals.Shutdown);
    }

    /// <summary>Waits until all have ended; after <see cref="Drain"/>, when no request comes in any more.</summary>
    public Task WhenEmpty(CancellationToken cancellationToken)
    {
        var emptied = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _emptied, emptied);
        if (_connections.IsEmpty) emptied.TrySetResult();
        return emptied.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Cuts what has not ended.</summary>
    public void Cut()
    {
        foreach (var connection in _connections.Values) connection.Abort();
    }

    public void Dispose()
    {
        _clock.Dispose();
        Owed.Dispose();
        _draining.Dispose();
    }
}
