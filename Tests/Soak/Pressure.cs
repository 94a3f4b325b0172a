using System.Net;
using System.Text;
using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Metrics;

namespace OrleansEvents.Tests.Soak;

/// <summary>Everything at once that makes a server hold bytes: many streams, some of which go again, large events,
/// readers that come and leave, readers that take nothing, and bodies that are announced and never come.</summary>
internal sealed class Pressure : IAsyncDisposable
{
    private const int Streams = 300;
    private readonly CancellationTokenSource _end = new();
    private readonly HttpClient _http = EventsHttp.NewClient();
    private readonly Uri _address;
    private readonly TimeSpan _pause;
    private readonly List<Task> _running = [];
    private int _once;
    private long _published;
    private long _read;
    private int _refused;

    /// <param name="address">The server's.</param>
    /// <param name="random">Draws it all.</param>
    /// <param name="pause">Between one publisher's requests, on average.</param>
    /// <param name="stalled">Readers that take nothing.</param>
    /// <param name="silent">Publishers that send no body.</param>
    public Pressure(Uri address, Random random, TimeSpan pause, int stalled, int silent)
    {
        (_address, _pause) = (address, pause);
        Begin(Publishers, Publish);
        Begin(16, Read);
        Begin(stalled, Stall);
        Begin(silent, KeepSilent);

        void Begin(int count, Func<Random, Task> what)
        {
            for (var i = 0; i < count; i++)
            {
                var own = new Random(random.Next());
                _running.Add(Task.Run(() => Repeat(() => what(own))));
            }
        }
    }

    public static int Publishers => 4;

    /// <summary>The most that a publisher sends at once.</summary>
    public static int LargestBody => 1_100_000;

    /// <summary>Bytes of events that the server has taken.</summary>
    public long PublishedBytes => Volatile.Read(ref _published);

    public long ReadBytes => Volatile.Read(ref _read);

    /// <summary>Requests that were refused with <c>RATE_LIMITED</c>.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>What went wrong otherwise than by a connection that was cut.</summary>
    public Task? Fault => _running.Find(each => each.IsFaulted);

    public async Task<Scrape> Look() => Scrape.OfText(await _http.GetStringAsync(new Uri(_address, "/metrics")));

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _end.Dispose();
    }

    private async Task Repeat(Func<Task> once)
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                await once();
            }
            catch (Exception cut) when (cut is HttpRequestException or IOException
                || cut is OperationCanceledException && _end.IsCancellationRequested)
            {
                // The server closes whoever is slow.
            }
        }
    }

    private async Task Publish(Random random)
    {
        var goesAgain = random.Next(20) == 0;
        var stream = goesAgain ? $"once-{Interlocked.Increment(ref _once)}" : $"s{random.Next(Streams)}";
        var size = random.Next(8) == 0 ? random.Next(50_000, 250_000) : random.Next(10, 3000);
        var count = random.Next(1, 5);
        var @event = $$"""{"type":"t{{random.Next(3)}}","data":"{{new string('x', size)}}"}""";
        var body = $"[{string.Join(',', Enumerable.Repeat(@event, count))}]";
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(new Uri(_address, $"/api/streams/{stream}/events"), content,
            _end.Token);
        if (answer.StatusCode == HttpStatusCode.Created) Interlocked.Add(ref _published, body.Length);
        else if (answer.StatusCode == HttpStatusCode.TooManyRequests) Interlocked.Increment(ref _refused);
        else throw new InvalidOperationException($"Publishing was answered {answer.StatusCode}");
        if (goesAgain) await _http.DeleteAsync(new Uri(_address, $"/api/streams/{stream}"), _end.Token);
        await Task.Delay(_pause * (2 * random.NextDouble()), _end.Token);
    }

    private async Task Read(Random random)
    {
        string[] paths = [$"/api/streams/s{random.Next(Streams)}/events?after=0", "/api/events?streams=%3E",
            $"/api/streams/s{random.Next(Streams)}/events?names=true&after=0", "/api/events?streams=s1,s2&types=t1"];
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_address, paths[random.Next(paths.Length)]));
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _end.Token);
        await using var body = await answer.Content.ReadAsStreamAsync(_end.Token);
        using var leaves = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        leaves.CancelAfter(random.Next(100, 5000));
        var buffer = new byte[65_536];
        try
        {
            while (await body.ReadAsync(buffer, leaves.Token) is > 0 and var read) Interlocked.Add(ref _read, read);
        }
        catch (OperationCanceledException)
        {
            // It has read for long enough.
        }
    }

    private async Task Stall(Random random)
    {
        using var connection = await RawConnection.Open(_address, receiveBuffer: 4096);
        await connection.Request("GET", "/api/events?streams=%3E", headers: "Accept: text/event-stream\r\n");
        await Task.Delay(random.Next(5000, 15_000), _end.Token);
    }

    private async Task KeepSilent(Random random)
    {
        using var connection = await RawConnection.Open(_address);
        await connection.Send($"POST /api/streams/s1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {random.Next(
            100_000, 2_000_000)}\r\n\r\n");
        await Task.Delay(random.Next(1000, 4000), _end.Token);
        connection.Cut();
    }
}
