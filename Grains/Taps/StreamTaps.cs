using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Taps;

/// <summary>
/// The taps of one stream at its owner. A tap is a reader of the feed like any other: no queue, one push under way,
/// everything since its position in the next. One that the ring has passed, or whose push failed, goes on at the head,
/// and finds by the push's previous head that it must read on from the owner. Used in the grain's turns only; pushes
/// are awaited between them.
/// </summary>
internal sealed partial class StreamTaps(StreamFeed feed, StreamGrainOptions options, ClusterCounts counts,
    ILogger logger) : IFeedWatcher
{
    private readonly Dictionary<IStreamTap, Tap> _taps = [];
    private readonly long _leaseMs = (long)options.TapLease.TotalMilliseconds;

    /// <summary>Taps with a lease.</summary>
    public int Count => _taps.Count;

    /// <summary>Readers at the taps, as they last said.</summary>
    public int Readers => _taps.Values.Sum(tap => tap.Readers);

    /// <summary>What readers must know beside the events, and its number: taps are pushed what is new of it.</summary>
    public StreamView View { get; private set; } = new(StreamHistory.None, 0, 0, null);

    public long ViewNo { get; private set; }

    /// <summary>Looks whether the view has changed. Called before the taps are woken.</summary>
    public void See(StreamSettings settings)
    {
        if (ReferenceEquals(View.History, feed.History) && View.Buffer == settings.Buffer
            && View.BufferBytes == settings.BufferBytes && View.MaxAge == settings.MaxAge) return;
        View = new(feed.History, settings.Buffer, settings.BufferBytes, settings.MaxAge);
        ViewNo++;
    }

    /// <summary>When the first lease ends, monotonic; the end of time when there is none.</summary>
    public long NextExpiryMs => _taps.Count == 0 ? long.MaxValue : _taps.Values.Min(tap => tap.LeaseEndsMs);

    /// <summary>Begins a tap at the head, or renews it. One that was deaf is heard of again: it is pushed to. False
    /// when there are too many.</summary>
    public bool Renew(IStreamTap reference, int readers, bool dense, long nowMs)
    {
        if (!_taps.TryGetValue(reference, out var tap))
        {
            if (_taps.Count >= options.Taps) return false;
            if (_taps.Count == 0) feed.Watch(this);
            counts.Add(ClusterCount.TapsOfOwner);
            _taps.Add(reference, tap = new Tap(reference) { Reader = new FeedReader(feed.Head), ToldView = ViewNo });
        }
        else if (tap.IsDeaf && !tap.IsBusy)
        {
            tap.Reader.MoveTo(feed.Head);
            tap.IsDeaf = false;
        }
        (tap.LeaseEndsMs, tap.Readers, tap.IsDense) = (nowMs + _leaseMs, readers, dense);
        return true;
    }

    /// <summary>Forgets a tap. Completes when no push to it is under way any more: nobody is there to take one after
    /// that.</summary>
    public Task Remove(IStreamTap reference)
    {
        if (!_taps.Remove(reference, out var tap)) return Task.CompletedTask;
        tap.IsGone = true;
        counts.Add(ClusterCount.TapsOfOwner, -1);
        if (_taps.Count == 0) feed.Unwatch(this);
        return tap.Pushing;
    }

    /// <summary>Forgets taps that were not renewed.</summary>
    public void Expire(long nowMs)
    {
        foreach (var tap in _taps.Values.Where(tap => tap.LeaseEndsMs <= nowMs).ToList()) Remove(tap.Reference);
    }

    /// <summary>Forgets all: the stream moves, and they ask its next owner; at once, if this word reaches
    /// them.</summary>
    public void Leave()
    {
        foreach (var tap in _taps.Values.ToList())
        {
            Remove(tap.Reference);
            tap.Reference.Push(TapPush.Leaving).Ignore();
        }
    }

    /// <inheritdoc/>
    public void Advanced(StreamFeed feed)
    {
        foreach (var tap in _taps.Values)
            if (tap is { IsBusy: false, IsDeaf: false } && (tap.Reader.MayHaveMore || tap.ToldView < ViewNo))
                tap.Pushing = Push(tap);
    }

    private async Task Push(Tap tap)
    {
        tap.IsBusy = true;
        try
        {
            while (!tap.IsGone && Next(tap) is { } push)
            {
                await tap.Reference.Push(push);
                // Not of a push that failed: it may be on its way.
                push.Dense?.Release();
            }
        }
#pragma warning disable CA1031 // Whatever a push fails of, the tap may have missed it: it says so by its next renewal.
        catch (Exception e)
#pragma warning restore CA1031
        {
            tap.IsDeaf = true;
            Deaf(logger, feed.Stream, e.Message);
        }
        tap.IsBusy = false;
    }

    private TapPush? Next(Tap tap)
    {
        var previous = tap.Reader.Seq;
        var (events, dense, found) = (PackedRun.Empty, (DenseRun?)null, FeedRead.Nothing);
        if (tap.IsDense) dense = DenseRun.Of(feed, ref tap.Reader, int.MaxValue, options.PushBytes, out found);
        else if ((found = feed.Read(ref tap.Reader, options.PushBytes, out var block)) == FeedRead.Block)
            using (block)
            {
                tap.Reader.Pass(block, block.Count);
                events = PackedRun.Of(block);
            }
        if (dense is not null || events.Count > 0)
            return Pushed(tap, previous, events, dense, isAll: !tap.Reader.MayHaveMore);
        if (found == FeedRead.Behind)
        {
            tap.Reader.MoveTo(feed.Head);
            return Pushed(tap, feed.Head, events, null, isAll: true);
        }
        return tap.ToldView < ViewNo ? Pushed(tap, previous, events, null, isAll: true) : null;
    }

    private TapPush Pushed(Tap tap, long previous, PackedRun events, DenseRun? dense, bool isAll)
    {
        // Not before the last event: nothing comes behind a stream's end.
        var view = isAll && tap.ToldView < ViewNo ? View : null;
        if (view is not null) tap.ToldView = ViewNo;
        return new TapPush(feed.History.Epoch, previous, tap.Reader.Seq, events, tap.ToldView, view, dense);
    }

    [LoggerMessage(EventIds.TapDeaf, LogLevel.Debug, "Stream {Stream}: a tap does not take its push: {Reason}")]
    private static partial void Deaf(ILogger logger, string stream, string reason);

    private sealed class Tap(IStreamTap reference)
    {
        public FeedReader Reader;

        public IStreamTap Reference { get; } = reference;

        public long LeaseEndsMs { get; set; }

        public int Readers { get; set; }

        /// <summary>Whether it reads dense runs: a node of the version before does not.</summary>
        public bool IsDense { get; set; }

        /// <summary>The newest view that it was pushed or told of.</summary>
        public long ToldView { get; set; }

        /// <summary>A push is under way.</summary>
        public bool IsBusy { get; set; }

        /// <summary>The last push.</summary>
        public Task Pushing { get; set; } = Task.CompletedTask;

        /// <summary>A push failed; nothing is pushed until it renews.</summary>
        public bool IsDeaf { get; set; }

        public bool IsGone { get; set; }
    }
}
