using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

internal sealed partial class StreamGrain
{
    /// <summary>For so long a deletion waits for its subscribers to hear of it.</summary>
    private static readonly TimeSpan OrphansWait = TimeSpan.FromSeconds(2);

    public async Task<Outcome<DescribedStream>> Complete()
    {
        if (await EnsureOpen(create: false) is { } closed) return closed;
        await BeginLife();
        try
        {
            if (_stream is not { } stream) return Absent();
            if (stream.BeginEnd() && !await End(stream, StreamState.Completed)) return StoreUnavailable;
            return Described();
        }
        finally
        {
            EndLife();
        }
    }

    public async Task<Outcome<long>> Delete()
    {
        if (await EnsureOpen(create: false) is { } closed) return closed;
        long head;
        OwedSubscribers? owing;
        await BeginLife();
        try
        {
            if (_stream is not { } stream) return Absent();
            // A completed stream can still be deleted.
            stream.BeginEnd();
            if (!await End(stream, StreamState.Deleted)) return StoreUnavailable;
            owing = _owing;
            head = Forget(stream);
        }
        finally
        {
            EndLife();
        }
        if (owing is not null) await Task.WhenAny(owing.Orphan(), Task.Delay(OrphansWait, context.Time));
        return head;
    }

    /// <summary>Records the end of a stream to which nothing is appended any more.</summary>
    private async Task<bool> End(EventStream stream, StreamState state)
    {
        while (stream.Draining is { } draining) await draining;
        // With a reopening under way the handle is about to be another.
        var ok = !stream.NeedsReopen && await Attempt(() => state == StreamState.Deleted
            ? Remove(stream.Handle)
            : context.Log.Complete(stream.Handle));
        stream.Ended(state, ok);
        Turned();
        return ok;
    }

    private async Task Remove(LogHandle handle)
    {
        try
        {
            await context.Log.Delete(handle, context.Now.UnixMs);
        }
        catch (LogFencedException)
        {
            // An earlier try that failed may have happened after all.
            if (!await context.Log.IsDeleted(_name)) throw;
        }
    }

    /// <summary>The grain is without a stream from here on. The old feed's taps are told the end of it, and find the
    /// next stream by that name as others do.</summary>
    private long Forget(EventStream stream)
    {
        var head = _feed.Head;
        _stream = null;
        context.Owned.Remove(_name, this);
        NewFeed();
        (_isAbsent, _reopening) = (true, null);
        MarkMissing(deleted: true);
        stream.EvictAll();
        Used();
        Arm();
        return head;
    }
}
