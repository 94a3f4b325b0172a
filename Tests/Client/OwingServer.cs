using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace OrleansEvents.Tests.Client;

/// <summary>
/// What a server does for one subscriber: it delivers what is owed until it is acknowledged. How its connections and
/// its answers fail is scripted.
/// </summary>
internal sealed class OwingServer : IAsyncDisposable
{
    private readonly ScriptedServer _server;
    private readonly Lock _gate = new();
    private readonly Dictionary<int, int> _deliveries = [];
    private readonly int _count;
    private Channel _channel = new();

    private OwingServer(ScriptedServer server, int count)
    {
        _server = server;
        _count = count;
        server.Otherwise = AnswerAsync;
    }

    public Uri Address => _server.Address;

    /// <summary>After so many events each connection is closed; the last one gets the rest and the end.</summary>
    public ConcurrentQueue<int> Cuts { get; } = new();

    /// <summary>Answers to acknowledgements and rejections, before they are stored as usual.</summary>
    public ConcurrentQueue<Fault> Faults { get; } = new();

    /// <summary>The bodies of acknowledgements that were stored, as lists of numbers.</summary>
    public ConcurrentQueue<int[]> Batches { get; } = new();

    public ConcurrentQueue<(int[] Numbers, double? Delay)> Rejections { get; } = new();

    public HashSet<int> Acknowledged { get; } = [];

    /// <summary>Whether there is no such subscriber, though a connection still delivers.</summary>
    public bool IsRemoved { get; set; }

    /// <summary>Whether a connection that has sent all stays open, and delivers again what is rejected.</summary>
    public bool StaysOpen { get; init; }

    public static async Task<OwingServer> StartAsync(int count, bool staysOpen = false) =>
        new(await ScriptedServer.StartAsync(), count) { StaysOpen = staysOpen };

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private int Pending
    {
        get
        {
            lock (_gate)
                return _count - Acknowledged.Count;
        }
    }

    public bool Has(params int[] numbers)
    {
        lock (_gate)
            return Acknowledged.Order().SequenceEqual(numbers);
    }

    /// <summary>Ends the open connection as a completed stream.</summary>
    public void Complete() => _channel.Send(null);

    private Task AnswerAsync(HttpContext context, SeenRequest request) => request.Path switch
    {
        "/api/streams/orders/events" => DeliverAsync(context),
        "/api/streams/orders/subscribers/billing/ack" => SettleAsync(context, request, Acknowledge),
        "/api/streams/orders/subscribers/billing/nack" => SettleAsync(context, request, Reject),
        "/api/streams/orders/subscribers/billing" when !IsRemoved =>
            context.Response.WriteAsync($"{{\"pending\":{Pending}}}"),
        _ => ScriptedServer.RefuseAsync(context, 404, "NOT_FOUND", "no such path"),
    };

    private async Task DeliverAsync(HttpContext context)
    {
        var channel = _channel = new Channel();
        var cut = Cuts.TryDequeue(out var after) ? after : int.MaxValue;
        await Sse.WriteAsync(context, Sse.Connected());
        foreach (var number in Enumerable.Range(1, _count))
        {
            if (IsAcknowledged(number))
                continue;
            if (cut-- == 0)
                return;
            await Sse.WriteAsync(context, Delivery(number));
        }
        while (StaysOpen && await channel.Next(context.RequestAborted) is { } again)
            await Sse.WriteAsync(context, Delivery(again));
        await Sse.WriteAsync(context, Sse.End());
    }

    private string Delivery(int number)
    {
        lock (_gate)
            return Sse.OwedEvent(number, _deliveries[number] = _deliveries.GetValueOrDefault(number) + 1);
    }

    private bool IsAcknowledged(int number)
    {
        lock (_gate)
            return Acknowledged.Contains(number);
    }

    private async Task SettleAsync(HttpContext context, SeenRequest request, Action<JsonElement> store)
    {
        Faults.TryDequeue(out var fault);
        if (fault.Until is { } until)
            await until.WaitAsync(context.RequestAborted);
        if (fault.Status is { } status)
        {
            await ScriptedServer.RefuseAsync(context, (int)status, fault.Code ?? "STORE_UNAVAILABLE", "not now");
            return;
        }
        store(JsonElement.Parse(request.Body));
        if (fault.LosesAnswer)
            context.Abort();
        else
            await context.Response.WriteAsync("""{"results":[]}""");
    }

    private void Acknowledge(JsonElement body)
    {
        var numbers = Numbers(body);
        lock (_gate)
            Acknowledged.UnionWith(numbers);
        Batches.Enqueue(numbers);
    }

    private void Reject(JsonElement body)
    {
        var numbers = Numbers(body);
        Rejections.Enqueue((numbers, body.TryGetProperty("delay", out var delay) ? delay.GetDouble() : null));
        foreach (var number in numbers)
            _channel.Send(number);
    }

    private static int[] Numbers(JsonElement body) =>
        [.. body.GetProperty("ids").EnumerateArray().Select(id => int.Parse(id.GetString()![1..], null))];

    /// <summary>How one answer fails.</summary>
    internal readonly record struct Fault(
        HttpStatusCode? Status = null, string? Code = null, bool LosesAnswer = false, Task? Until = null);

    private sealed class Channel
    {
        private readonly System.Threading.Channels.Channel<int?> _numbers =
            System.Threading.Channels.Channel.CreateUnbounded<int?>();

        public void Send(int? number) => _numbers.Writer.TryWrite(number);

        public ValueTask<int?> Next(CancellationToken cancellationToken) =>
            _numbers.Reader.ReadAsync(cancellationToken);
    }
}
