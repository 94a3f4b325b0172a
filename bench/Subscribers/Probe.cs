using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace OrleansEvents.Subscribers;

/// <summary>
/// One publisher at an even pace and some readers of a stream, each with a thread and a socket of its own, so that
/// nothing of this process but the scheduler comes between.
/// </summary>
internal sealed class Probe : IDisposable
{
    private readonly string path;
    private readonly Uri server;
    private readonly int everyMs;
    private readonly string member;
    private readonly List<(long SentAt, double Ms)>[] seen;
    private readonly List<Thread> threads = [];
    private readonly ManualResetEventSlim over = new();

    public Probe(Uri server, string stream, int readers, int everyMs, bool critical)
    {
        (this.server, this.everyMs) = (server, everyMs);
        path = $"/api/streams/{stream}/events";
        member = critical ? ",\"critical\":true" : "";
        seen = [.. Enumerable.Range(0, readers).Select(_ => new List<(long, double)>())];
        Start(Publish);
        foreach (var into in seen) Start(() => Read(into));
    }

    /// <summary>Latencies in milliseconds of what was published in some windows.</summary>
    public List<double> During(List<(long From, long To)> windows) => [.. seen.SelectMany(each => each)
        .Where(each => windows.Exists(window => each.SentAt >= window.From && each.SentAt < window.To))
        .Select(each => each.Ms)];

    public void Dispose()
    {
        over.Set();
        foreach (var thread in threads) thread.Join();
        threads.Clear();
    }

    private void Start(Action run)
    {
        var thread = new Thread(() => run()) { IsBackground = true };
        threads.Add(thread);
        thread.Start();
    }

    private Socket Open(string request)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 10_000 };
        socket.Connect(server.Host, server.Port);
        if (request.Length > 0) socket.Send(Encoding.ASCII.GetBytes(request));
        return socket;
    }

    private void Publish()
    {
        using var socket = Open("");
        var answer = new byte[8192];
        var begun = Stopwatch.GetTimestamp();
        for (var sent = 0L; !over.IsSet; sent++)
        {
            var wait = sent * everyMs - Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
            if (wait > 0) over.Wait(TimeSpan.FromMilliseconds(wait));
            var now = Stopwatch.GetTimestamp().ToString("D20", CultureInfo.InvariantCulture);
            var body = $$"""{"type":"probe"{{member}},"data":"at {{now}} {{new string('x', 170)}}"}""";
            socket.Send(Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: bench\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
            if (socket.Receive(answer) == 0) throw new InvalidOperationException("closed");
        }
    }

    private void Read(List<(long SentAt, double Ms)> into)
    {
        using var socket = Open($"GET {path}?heartbeat=1 HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n");
        var buffer = new byte[1 << 20];
        var kept = 0;
        while (!over.IsSet && socket.Receive(buffer, kept, buffer.Length - kept, SocketFlags.None) is > 0 and var bytes)
        {
            var now = Stopwatch.GetTimestamp();
            var text = buffer.AsSpan(0, kept + bytes);
            while (text.IndexOf("\n\n"u8) is >= 0 and var end)
            {
                if (text[..end].IndexOf("\"at "u8) is >= 0 and var at)
                {
                    var sentAt = long.Parse(text.Slice(at + 4, 20), CultureInfo.InvariantCulture);
                    into.Add((sentAt, Stopwatch.GetElapsedTime(sentAt, now).TotalMilliseconds));
                }
                text = text[(end + 2)..];
            }
            kept = text.Length;
            text.CopyTo(buffer);
        }
    }
}
