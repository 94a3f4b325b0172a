using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

/// <summary>
/// The subscribers of one stream at its owner: how far each has come on storage, so that nothing is trimmed that one
/// may be owed, and who is told what becomes visible: one push under way each, everything since in the next. Who
/// missed a push finds it by the next one's previous head, or by its report. Those that are not active are told
/// nothing; what they are owed is derived when they are. Used in the grain's turns only; pushes are awaited between
/// them.
/// </summary>
internal sealed partial class OwedSubscribers(string stream, IGrainFactory grains, SubscriberGrainOptions options,
    ILogger logger)
{
    private const int MostRecent = 4096;
    private const long AskAgainMs = 5000;
    private const long LookMs = 1000;

    private readonly Dictionary<string, Owing> _all = new(StringComparer.Ordinal);

    /// <summary>What became visible lately, for pushes: all that can be wanted above
    /// <see cref="_recentAfter"/>.</summary>
    private readonly List<ShownEvent> _recent = [];
    private long _recentAfter;
    private LogHandle _handle;
    private long _head;

    private readonly List<Owing> _blocking = [];
    private bool _hasChanged;

    /// <summary>Whether anybody is told what becomes visible.</summary>
    public bool AreFollowing { get; private set; }

    /// <summary>Names, without tombstones.</summary>
    public string[] Names => [.. _all.Values.Where(each => !each.IsRemoved).Select(each => each.Name)
        .Order(StringComparer.Ordinal)];

    /// <summary>Durable events up to here are owed to nobody; null when there are no subscribers.</summary>
    public long? DoneThrough
    {
        get
        {
            long? done = null;
            foreach (var each in _all.Values)
                if (!each.IsRemoved) done = Math.Min(done ?? long.MaxValue, each.DoneThrough);
            return done;
        }
    }

    /// <summary>As storage has them, when the stream is opened.</summary>
    /// <param name="opened">The stream.</param>
    /// <param name="owed">Its critical events, if somebody blocks.</param>
    public void Load(OpenedStream opened, IReadOnlyList<OwedMark> owed)
    {
        (_handle, _head) = (opened.Handle, opened.Epochs[^1].First - 1);
        _recentAfter = _head;
        // Those that are pushed to are looked at soon.
        _hasChanged = opened.Subscribers.Count > 0;
        foreach (var record in opened.Subscribers)
        {
            var stored = new Subscription(record, options.Defaults, _head, options.Limits);
            var entry = new Owing(record.Name);
            entry.Load(stored, stored.StoredWatermark);
            _all.Add(record.Name, entry);
            if (entry is { Blocks: true, IsRemoved: false }) _blocking.Add(entry);
            foreach (var mark in owed)
                if (mark.Critical && mark.Seq > stored.StoredWatermark) entry.Count(mark.Seq);
        }
    }

    /// <summary>Whether somebody blocks of whom nobody knows what it is owed.</summary>
    public static bool HasBlocking(OpenedStream opened, SubscriberGrainOptions options) =>
        opened.Subscribers.Any(record => new Subscription(record, options.Defaults, 0, options.Limits)
            is { RemovedMs: null, Policy.Overflow: OverflowRule.Block });

    /// <summary>Whether one more can be noted.</summary>
    public bool HasRoomFor(string name) => _all.ContainsKey(name) || _all.Count < options.PerStream;

    /// <summary>Notes a subscriber or what it reports. False: it is of an earlier opening.</summary>
    public bool Take(string name, SubscriberReport report, EventStream open, Instant now)
    {
        if (!_all.TryGetValue(name, out var entry)) _all.Add(name, entry = new Owing(name));
        if (!entry.Take(report, now, options.ReportLease)) return false;
        Show(open, entry);
        // What came since is in the answer, or read after it.
        if (!entry.IsBusy) entry.Told = _head;
        _hasChanged = true;
        AreFollowing |= entry.IsFollowing;
        _blocking.Remove(entry);
        if (entry is { Blocks: true, IsRemoved: false }) _blocking.Add(entry);
        return true;
    }

    /// <summary>What became visible since a position, if it is known; null: it must be read.</summary>
    public OwedPush? Since(long position) => position < _recentAfter || position > _head ? null
        : new OwedPush(_handle.Id, _handle.Epoch, position, _head, Marks(position));

    public void Forget(string name, long epoch)
    {
        if (!_all.TryGetValue(name, out var entry) || entry.Epoch > epoch) return;
        _all.Remove(name);
        _blocking.Remove(entry);
        _hasChanged = true;
    }

    /// <summary>The turn's end: what became visible in it is told.</summary>
    public void Told(EventStream open, long head)
    {
        (_handle, _head) = (open.Handle, head);
        if (open.Shown is not { Count: > 0 } shown) return;
        foreach (ref readonly var each in CollectionsMarshal.AsSpan(shown))
        {
            _recent.Add(each);
            if (!each.Critical) continue;
            foreach (var entry in _blocking) entry.Count(each.Seq);
        }
        shown.Clear();
        if (_recent.Count > 2 * MostRecent)
        {
            var from = _recent.Count - MostRecent;
            _recentAfter = _recent[from - 1].Seq;
            _recent.RemoveRange(0, from);
        }
        foreach (var entry in _all.Values)
            if (entry is { IsFollowing: true, IsBusy: false, IsDeaf: false }) _ = Push(entry);
    }

    /// <summary>How many critical events may come until one that blocks may be owed its most.</summary>
    public int Room(int backlog, Instant now)
    {
        var room = int.MaxValue;
        foreach (var entry in _blocking)
        {
            room = Math.Min(room, entry.Room(backlog));
            // What it does not want was counted, too: it knows better.
            if (room <= 0 && !entry.IsFollowing) Ask(entry, 0, now);
        }
        return room;
    }

    /// <summary>What time brings: leases end, those that are to be active are made so.</summary>
    public void Tick(Instant now)
    {
        _hasChanged = false;
        foreach (var entry in _all.Values.ToList())
        {
            var isLate = entry.LeaseEndsMs <= now.Ms;
            if (isLate) entry.IsFollowing = false;
            if (isLate && entry.Epoch == 0) Forget(entry.Name, 0);
            if (entry is { IsPushed: true, IsFollowing: false, IsRemoved: false }) Ask(entry, 0, now);
            if (entry.IsRemoved && now.UnixMs - entry.RemovedMs > SubscriberGrain.TombstoneAge.TotalMilliseconds)
                Ask(entry, 0, now);
        }
        AreFollowing = _all.Values.Any(each => each.IsFollowing);
    }

    /// <summary>When <see cref="Tick"/> is next needed, monotonic; what was reported need not be looked at more often
    /// than once a second.</summary>
    public long NextTickMs(Instant now) =>
        _hasChanged ? now.Ms + LookMs : _all.Count == 0 ? long.MaxValue : now.Ms + AskAgainMs;

    /// <summary>The stream is to let go of what is stored up to a number: whoever is owed it parks it first.</summary>
    public void Lapse(long through, Instant now)
    {
        foreach (var entry in _all.Values)
            if (!entry.IsRemoved && entry.DoneThrough < through) Ask(entry, through, now);
    }

    /// <summary>The stream was deleted: who may be loaded is told. Who misses it finds it by its report.</summary>
    public Task Orphan() =>
        Task.WhenAll(_all.Values.Where(each => each.MayBeLoaded).Select(each => Try(each, grain =>
            grain.Orphan(_handle.Id))));

    private long LastRecent => _recent.Count > 0 ? _recent[^1].Seq : 0;

    private void Show(EventStream open, Owing entry)
    {
        var widens = open.Shown is null || entry.OwesAll && !open.ShowsOrdinary
            || entry.WantsTypes && !open.ShowsTypes;
        open.Shown ??= [];
        open.ShowsOrdinary |= entry.OwesAll;
        open.ShowsTypes |= entry.WantsTypes;
        if (!widens) return;
        // What was shown before does not tell enough.
        _recent.Clear();
        _recentAfter = _head;
    }

    private PackedMarks Marks(long after)
    {
        var from = _recent.Count;
        while (from > 0 && _recent[from - 1].Seq > after) from--;
        return PackedMarks.Of(CollectionsMarshal.AsSpan(_recent)[from..]);
    }

    private async Task Push(Owing entry)
    {
        entry.IsBusy = true;
        try
        {
            while (entry.IsFollowing && entry.Told < LastRecent)
            {
                // One that has fallen behind reads on by itself.
                var push = Since(entry.Told)
                    ?? new OwedPush(_handle.Id, _handle.Epoch, _head, _head, PackedMarks.Empty);
                entry.Told = _head;
                await Grain(entry).Follow(push);
            }
        }
#pragma warning disable CA1031 // Whatever a push fails of, the subscriber may have missed it: it says so by its report.
        catch (Exception e)
#pragma warning restore CA1031
        {
            entry.IsDeaf = true;
            Deaf(logger, stream, entry.Name, e.Message);
        }
        entry.IsBusy = false;
    }

    private void Ask(Owing entry, long through, Instant now)
    {
        if (now.Ms - entry.AskedMs < AskAgainMs) return;
        entry.AskedMs = now.Ms;
        _ = Try(entry, grain => grain.Lapse(through));
    }

    private async Task Try(Owing entry, Func<ISubscriberGrain, Task> call)
    {
        try
        {
            await call(Grain(entry));
        }
#pragma warning disable CA1031 // It is asked again, or asks.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Deaf(logger, stream, entry.Name, e.Message);
        }
    }

    private ISubscriberGrain Grain(Owing entry) => grains.GetGrain<ISubscriberGrain>($"{stream}/{entry.Name}");

    [LoggerMessage(EventIds.SubscriberDeaf, LogLevel.Debug,
        "Stream {Stream}: subscriber {Subscriber} does not take what it is told: {Reason}")]
    private static partial void Deaf(ILogger logger, string stream, string subscriber, string reason);
}
