using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

/// <summary>A subscriber as its stream's owner knows it. A word of an earlier opening of it is not heard.</summary>
internal sealed class Owing(string name)
{
    private readonly Queue<long> _criticals = new();
    private int _pending;
    private int? _maxPending;
    private long _number;

    public string Name { get; } = name;

    /// <summary>Its opening, as far as is known; 0: it is not stored yet.</summary>
    public long Epoch { get; private set; }

    public bool IsRemoved { get; private set; }

    /// <summary>When it was removed, Unix milliseconds.</summary>
    public long RemovedMs { get; private set; }

    /// <summary>What lies above is not trimmed.</summary>
    public long DoneThrough { get; private set; }

    public bool OwesAll { get; private set; }

    public bool WantsTypes { get; private set; }

    /// <summary>Whether it is to be active all the time.</summary>
    public bool IsPushed { get; private set; }

    /// <summary>Whether it is told what becomes visible.</summary>
    public bool IsFollowing { get; set; }

    /// <summary>When that ends unless it reports, monotonic.</summary>
    public long LeaseEndsMs { get; private set; }

    /// <summary>Whether it may be loaded somewhere: one that was not heard of since the stream was opened may
    /// be.</summary>
    public bool MayBeLoaded => !IsRemoved && (IsFollowing || LeaseEndsMs == 0);

    /// <summary>Everything up to here was told to it.</summary>
    public long Told { get; set; }

    /// <summary>Whether a push is under way.</summary>
    public bool IsBusy { get; set; }

    /// <summary>A push failed: nothing is pushed until it reports.</summary>
    public bool IsDeaf { get; set; }

    /// <summary>When it was last asked to report, monotonic.</summary>
    public long AskedMs { get; set; } = long.MinValue / 2;

    public bool Blocks => _maxPending is not null;

    /// <summary>What storage has of it, when the stream is opened.</summary>
    public void Load(Subscription stored, long watermark)
    {
        (IsRemoved, RemovedMs) = (stored.RemovedMs is not null, stored.RemovedMs ?? 0);
        (DoneThrough, Told) = (watermark, watermark);
        (OwesAll, WantsTypes, IsPushed) = (stored.Policy.OwesAll, stored.WantsTypes, stored.IsPushed);
        // Heard of by nobody yet: the first that reports is the one that is.
        Epoch = 1;
        _maxPending = stored.Policy.Overflow == OverflowRule.Block ? stored.Policy.MaxPending : null;
    }

    /// <summary>False: it is of an earlier opening, or older than one that came before it.</summary>
    public bool Take(SubscriberReport report, Instant now, TimeSpan lease)
    {
        // It is being registered: what the one before it was done with it may be owed, whether or not that was heard
        // to have gone.
        if (report.Epoch == 0 && Epoch > 0) DoneThrough = 0;
        if (report.Epoch < Epoch || report.Epoch == Epoch && Epoch > 0 && report.Number <= _number) return false;
        _number = report.Number;
        DoneThrough = Math.Max(report.Epoch == Epoch ? DoneThrough : 0, report.DoneThrough ?? 0);
        if (report.IsRemoved && !IsRemoved) RemovedMs = now.UnixMs;
        (Epoch, IsRemoved, IsFollowing) = (report.Epoch, report.IsRemoved, report.IsFollowing);
        (OwesAll, WantsTypes, IsPushed) = (report.OwesAll, report.WantsTypes, report.IsPushed);
        LeaseEndsMs = now.Ms + (long)lease.TotalMilliseconds;
        if (!IsBusy) (Told, IsDeaf) = (report.Position, false);
        if (report.DoneThrough is null) return true;
        (_pending, _maxPending) = (report.Pending, report.MaxPending);
        while (_criticals.TryPeek(out var seq) && seq <= report.Position) _criticals.Dequeue();
        return true;
    }

    /// <summary>A critical event has become visible, which it may be owed.</summary>
    public void Count(long seq)
    {
        if (Blocks) _criticals.Enqueue(seq);
    }

    /// <summary>How many it can be owed yet for certain: what it was owed when it reported, and all that came
    /// since.</summary>
    public int Room(int backlog) =>
        _maxPending is { } most ? Math.Min(most, backlog) - _pending - _criticals.Count : int.MaxValue;
}
