using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class EmbeddedStreams
{
    public async ValueTask<Outcome<ConfiguredStream>> Configure(string stream, ReadOnlyMemory<byte> json,
        CancellationToken cancel)
    {
        // Bad settings must not make a stream.
        if (!_context.Defaults.TryApply(json, out _, out var invalid)) return invalid;
        while (true)
        {
            var existed = await Open(stream, create: false) is { Refusal: null };
            var done = await Hold<ConfiguredStream>(stream, create: true, async host =>
            {
                if (await host.Configure(json) is not { } configured) return NoStream(stream);
                return configured.Refusal is { } refused ? refused : new ConfiguredStream(configured.Value!, !existed);
            });
            // Deleted as it was to be changed: it is made again.
            if (done.Refusal is not { Code: ErrorCode.NotFound }) return done;
        }
    }

    public ValueTask<Outcome<StreamDescription>> Describe(string stream) =>
        Hold(stream, create: false, host => ValueTask.FromResult(Describe(host)));

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
            _context.Meter?.ReadErrors.One("of", "storage");
            return StoreCircuit.Refusal;
        }
    }

    public ValueTask<Outcome<StreamDescription>> Complete(string stream, CancellationToken cancel) =>
        Hold(stream, create: false, async host =>
            await host.End(StreamState.Completed) == false ? StoreCircuit.Untaken : Describe(host));

    public ValueTask<Outcome<long>> Delete(string stream, CancellationToken cancel) =>
        Hold<long>(stream, create: false, async host => await host.End(StreamState.Deleted) switch
        {
            true => host.Feed.Head,
            false => StoreCircuit.Untaken,
            null => NoStream(stream),
        });

    private static Outcome<StreamDescription> Describe(StreamHost host)
    {
        StreamDescription? description = null;
        var subscribers = host.Subscribers;
        host.Ask(open => description = new(host.Name, open.Settings, host.Feed.History, host.Feed.Head,
            host.Feed.Floor, host.Feed.Count, host.Feed.Bytes, open.StoredCount, open.StoredBytes, host.Readers,
            open.CreatedMs, subscribers));
        // It was deleted a moment ago.
        return description is { } described ? described : NoStream(host.Name);
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
