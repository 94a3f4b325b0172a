using OrleansEvents.Tests.Reading;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>A reader that comes back where it was when its connection ends, and notes all that it is told.</summary>
internal sealed class Following : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Func<Uri> _where;
    private readonly string _path;
    private readonly Lock _lock = new();
    private readonly List<int> _numbers = [];
    private readonly List<string> _gaps = [];
    private readonly List<string> _problems = [];
    private readonly Task _running;
    private string? _lastId;
    private int _connections;

    /// <param name="where">The node to connect to, asked at each connection.</param>
    /// <param name="stream">The stream, read from its beginning.</param>
    public Following(Func<Uri> where, string stream)
    {
        (_where, _path) = (where, $"/api/streams/{stream}/events?after=0&heartbeat=1");
        _running = Run();
    }

    /// <summary>The data of each event, in the order in which they came.</summary>
    public int[] Numbers => Locked(() => _numbers.ToArray());

    public string[] Gaps => Locked(() => _gaps.ToArray());

    /// <summary>The codes of the problems it was told of.</summary>
    public string[] Problems => Locked(() => _problems.ToArray());

    public int Connections => Volatile.Read(ref _connections);

    public Task Has(int number) => Given.Until(() => Task.FromResult(Numbers.Contains(number)));

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _running;
        _end.Dispose();
    }

    private async Task Run()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                await using var reader = await SseReader.Open(_where(), _path, _lastId);
                Interlocked.Increment(ref _connections);
                using var cut = _end.Token.Register(() => _ = reader.DisposeAsync().AsTask());
                while (await reader.Next() is { } frame) Note(frame);
            }
            catch (Exception broken) when (broken is HttpRequestException or IOException or ObjectDisposedException
                or OperationCanceledException)
            {
                await Task.Delay(50);
            }
        }
    }

    private void Note(SseFrame frame)
    {
        lock (_lock)
        {
            _lastId = frame.Id ?? _lastId;
            if (frame.IsEvent) _numbers.Add(frame.Json.GetProperty("data").GetInt32());
            if (frame.Event == "gap") _gaps.Add(frame.Data);
            if (frame.Event == "problem") _problems.Add(frame.Text("code"));
        }
    }

    private T Locked<T>(Func<T> read)
    {
        lock (_lock) return read();
    }
}
