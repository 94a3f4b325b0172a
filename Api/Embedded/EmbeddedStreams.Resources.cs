using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class EmbeddedStreams
{
    private const int PendingPageBytes = 1 << 20;

    private static readonly Refusal StoreUnavailable =
        new(ErrorCode.StoreUnavailable, "Storage did not take it.", TimeSpan.FromSeconds(1));

    public async ValueTask<Outcome<ConfiguredStream>> Configure(string stream, ReadOnlyMemory<byte> json, CancellationToken cancel)
    {
        // Bad settings must not make a stream.
        if (!_context.Defaults.TryApply(json, out _, out var invalid)) return invalid;
        var existed = await Open(stream, create: false) is { Refusal: null };
        var (host, refusal) = await Open(stream, create: true);
        if (refusal is { } refused) return refused;
        StreamSettings? current = null;
        host.Turn((open, _) => current = open.Settings);
        if (current is null || !current.TryApply(json, out var settings, out invalid)) return current is null ? StoreUnavailable : invalid;
        return await host.SaveSettings(settings, settings.ToJson()) ? new ConfiguredStream(settings, !existed) : StoreUnavailable;
    }

    public async ValueTask<Outcome<StreamDescription>> Describe(string stream)
    {
        var (host, refusal) = await Open(stream, create: false);
        return refusal is { } refused ? refused : Describe(host);
    }

    public async ValueTask<Outcome<StreamPage>> List(string prefix, string? after, int limit)
    {
        try
        {
            var stored = await _context.Log.List(prefix, after, limit + 1);
            var page = stored.Take(limit).Select(Summarise).ToList();
            return new StreamPage(page, stored.Count > limit);
        }
        catch (LogUnavailableException)
        {
            return StoreCircuit.Refusal;
        }
    }

    public async ValueTask<Outcome<StreamDescription>> Complete(string stream, CancellationToken cancel)
    {
        var (host, refusal) = await Open(stream, create: false);
        if (refusal is { } refused) return refused;
        return await host.End(StreamState.Completed) == false ? StoreUnavailable : Describe(host);
    }

    public async ValueTask<Outcome<long>> Delete(string stream, CancellationToken cancel)
    {
        var (host, refusal) = await Open(stream, create: false);
        if (refusal is { } refused) return refused;
        return await host.End(StreamState.Deleted) == true ? host.Feed.Head : StoreUnavailable;
    }

    public async ValueTask<Outcome<ISubscriberSession>> Subscribe(string stream, string subscriber)
    {
        var (host, refusal) = await Open(stream, create: true);
        return refusal is { } refused ? refused : await host.Subscribe(subscriber, _limits.Subscribers);
    }

    public async ValueTask<Outcome<IReadOnlyList<Acknowledged>>> Acknowledge(string stream, string subscriber,
        AckRequest request, CancellationToken cancel)
    {
        var (host, refusal) = await Open(stream, create: false);
        if (refusal is { } refused) return refused;
        return await host.Acknowledge(subscriber, request) ?? NoSubscriber(stream, subscriber);
    }

    public async ValueTask<Outcome<PendingPage>> Pending(string stream, string subscriber, long after, int limit)
    {
        var (host, refusal) = await Open(stream, create: false);
        if (refusal is { } refused) return refused;
        try
        {
            return await host.Pending(subscriber, after, limit, PendingPageBytes) is { } page
                ? page
                : NoSubscriber(stream, subscriber);
        }
        catch (LogUnavailableException)
        {
            return StoreUnavailable;
        }
    }

    private static Refusal NoSubscriber(string stream, string subscriber) =>
        new(ErrorCode.NotFound, $"The stream {stream} has no subscriber {subscriber}.");

    private static StreamDescription Describe(StreamHost host)
    {
        StreamDescription? description = null;
        var subscribers = host.Subscribers;
        host.Turn((open, _) => description = new(host.Name, open.Settings, host.Feed.History, host.Feed.Head,
            host.Feed.Floor, host.Feed.Count, host.Feed.Bytes, open.StoredCount, open.StoredBytes, host.Readers,
            open.CreatedMs, subscribers));
        return description!;
    }

    private StreamSummary Summarise(StoredStream stored)
    {
        if (!_hosts.TryGetValue(stored.Name, out var host) || !host.IsOpen)
            return new(stored.Name, stored.Completed, stored.CreatedMs, null, null, null, null);
        var feed = host.Feed;
        return new(stored.Name, stored.Completed, stored.CreatedMs, feed.History.At(feed.Head).ToString(), feed.Count,
            feed.Bytes, host.Readers);
    }
}
