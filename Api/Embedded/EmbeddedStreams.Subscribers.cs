using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class EmbeddedStreams
{
    private const int PageBytes = 1 << 20;

    public Action<string, string>? PushWanted { get; set; }

    public ValueTask<Outcome<ISubscriberSession?>> Subscribe(string stream, string subscriber, SessionKind kind) =>
        Hold<ISubscriberSession?>(stream, create: kind != SessionKind.Push, async host =>
            await host.Subscribe(subscriber, kind, _limits.Subscribers));

    public async ValueTask<Outcome<ConfiguredSubscriber>> ConfigureSubscriber(string stream, string subscriber,
        ReadOnlyMemory<byte> json, CancellationToken cancel)
    {
        // A bad policy must not make a stream; of one that is there it may be no more than a change.
        if (!_context.SubscriberDefaults.TryApply(json, out _, out var invalid)
            && await Open(stream, create: false) is { Refusal: not null }) return invalid;
        return await Hold<ConfiguredSubscriber>(stream, create: true, async host =>
            await host.ConfigureSubscriber(subscriber, json, _limits.Subscribers) ?? NoStream(stream));
    }

    public ValueTask<Outcome<IReadOnlyList<OpenSubscriber>>> OpenSubscribers() => ValueTask.FromResult<
        Outcome<IReadOnlyList<OpenSubscriber>>>((OpenSubscriber[])[.. _hosts.Values.Where(host => host.IsOpen)
            .OrderBy(host => host.Name, StringComparer.Ordinal).SelectMany(host =>
                host.DescribeSubscribers().Select(subscriber => new OpenSubscriber(host.Name, subscriber)))]);

    public ValueTask<Outcome<IReadOnlyList<SubscriberDescription>>> Subscribers(string stream) =>
        Hold(stream, create: false, host => ValueTask.FromResult(Outcome.Of(host.DescribeSubscribers())));

    public ValueTask<Outcome<SubscriberDescription>> DescribeSubscriber(string stream, string subscriber) =>
        Hold(stream, create: false, host => ValueTask.FromResult<Outcome<SubscriberDescription>>(
            host.DescribeSubscriber(subscriber) is { } described ? described : host.NoSubscriber(subscriber)));

    public ValueTask<Outcome<int>> RemoveSubscriber(string stream, string subscriber, CancellationToken cancel) =>
        Hold<int>(stream, create: false, async host =>
            await host.RemoveSubscriber(subscriber) ?? host.NoSubscriber(subscriber));

    public ValueTask<Outcome<IReadOnlyList<Acknowledged>>> Acknowledge(string stream, string subscriber,
        AckRequest request, CancellationToken cancel) =>
        Hold(stream, create: false, async host =>
            await host.Acknowledge(subscriber, request) ?? NoStream(stream));

    public ValueTask<Outcome<IReadOnlyList<NotAcknowledged>>> Nack(string stream, string subscriber,
        NackRequest request, CancellationToken cancel) =>
        Hold(stream, create: false, async host => await host.Nack(subscriber, request) ?? NoStream(stream));

    public ValueTask<Outcome<SubscriberPage>> Pending(string stream, string subscriber, long after, int limit) =>
        Hold(stream, create: false, host => Reading(stream, host.Pending(subscriber, after, limit, PageBytes)));

    public ValueTask<Outcome<SubscriberPage>> DeadLetters(string stream, string subscriber, long after, int limit) =>
        Hold(stream, create: false, host => Reading(stream, host.DeadLetters(subscriber, after, limit, PageBytes)));

    public ValueTask<Outcome<int>> ReplayDeadLetters(string stream, string subscriber, IReadOnlyList<string>? ids,
        CancellationToken cancel) =>
        Hold<int>(stream, create: false, async host =>
            await host.ReplayDeadLetters(subscriber, ids) ?? NoStream(stream));

    public ValueTask<Outcome<int>> PurgeDeadLetters(string stream, string subscriber, CancellationToken cancel) =>
        Hold<int>(stream, create: false, async host => await host.PurgeDeadLetters(subscriber) ?? NoStream(stream));

    public ValueTask<Outcome<bool>> DisablePush(string stream, string subscriber, string reason) =>
        Hold<bool>(stream, create: false, async host =>
            await host.DisablePush(subscriber, reason) ?? host.NoSubscriber(subscriber));

    /// <summary>Opens the streams that have something to push, after a start.</summary>
    public async Task Wake()
    {
        try
        {
            foreach (var stream in await _context.Log.StreamsToWake()) await Open(stream, create: false);
        }
        catch (LogUnavailableException)
        {
            // The circuit is open; when it closes this is done again.
        }
    }

    private static async ValueTask<Outcome<SubscriberPage>> Reading(string stream,
        Task<Outcome<SubscriberPage>?> page)
    {
        try
        {
            return await page ?? NoStream(stream);
        }
        catch (LogUnavailableException)
        {
            return StoreCircuit.Untaken;
        }
    }
}
