using System.Collections.Concurrent;

namespace OrleansEvents.Tests.Client;

/// <summary>
/// A clock on which every timer is due at once, however long it was set to; what it was set to is kept. Limits longer
/// than an hour never come due: so a test tells waits from time limits.
/// </summary>
internal sealed class FastTime : TimeProvider
{
    public static readonly TimeSpan Never = TimeSpan.FromDays(1);

    public ConcurrentQueue<TimeSpan> Waits { get; } = new();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime >= TimeSpan.FromHours(1) || dueTime < TimeSpan.Zero)
            return System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Waits.Enqueue(dueTime);
        return System.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
