using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

public sealed partial class ClusterStreams
{
    private static readonly Refusal NoStorage =
        new(Streams.ErrorCode.StoreUnavailable, "Storage does not answer.", TimeSpan.FromSeconds(1));

    /// <inheritdoc/>
    public async ValueTask<Outcome<ConfiguredStream>> Configure(string stream, ReadOnlyMemory<byte> json,
        CancellationToken cancel)
    {
        // Bad settings need not travel.
        if (!_context.Options.Defaults.TryApply(json, out _, out var invalid)) return invalid;
        // Not the request's own memory: a call may be under way when its caller has given up.
        ReadOnlyMemory<byte> copy = json.ToArray();
        return await _context.Ask(() => Owner(stream).Configure(copy)).WaitAsync(cancel);
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<StreamDescription>> Describe(string stream) =>
        Description(stream, await _context.Ask(() => Owner(stream).Describe()));

    /// <inheritdoc/>
    public async ValueTask<Outcome<StreamPage>> List(string prefix, string? after, int limit)
    {
        try
        {
            var stored = await _context.Log.List(prefix, after, limit + 1);
            return new StreamPage([.. stored.Take(limit).Where(each => !StreamDirectory.IsInternal(each.Name))
                .Select(Summarise)], stored.Count > limit);
        }
        catch (LogUnavailableException)
        {
            return NoStorage;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<StreamDescription>> Complete(string stream, CancellationToken cancel) =>
        Description(stream, await _context.Ask(() => Owner(stream).Complete()).WaitAsync(cancel));

    /// <inheritdoc/>
    public async ValueTask<Outcome<long>> Delete(string stream, CancellationToken cancel)
    {
        var tries = 0;
        var deleted = await _context.Ask(() =>
        {
            tries++;
            return Owner(stream).Delete();
        }).WaitAsync(cancel);
        // What a try did whose answer was lost.
        return tries > 1 && deleted.Refusal is { Code: Streams.ErrorCode.NotFound } ? 0L : deleted;
    }

    private static Outcome<StreamDescription> Description(string stream, Outcome<DescribedStream> answer) =>
        answer.Refusal is { } refused ? refused
        : answer.Value is { } known ? new StreamDescription(stream, known.Settings, known.History, known.Head.Seq,
            known.Floor, known.Events, known.Bytes, known.StoredEvents, known.StoredBytes, known.Readers,
            known.CreatedMs, known.Subscribers, known.Node)
        : NoStorage;

    /// <summary>With what the node's own copy knows, if there is one.</summary>
    private StreamSummary Summarise(StoredStream stored)
    {
        if (!_replicas.TryGetValue(stored.Name, out var replica) || replica.IsPlaceholder)
            return new(stored.Name, stored.Completed, stored.CreatedMs, null, null, null, null);
        var feed = replica.Feed;
        return new(stored.Name, stored.Completed, stored.CreatedMs, feed.History.At(feed.Head).ToString(), feed.Count,
            feed.Bytes, replica.Readers);
    }
}
