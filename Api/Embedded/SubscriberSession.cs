using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>One reader of a subscriber, in the slot that its state machine gave it.</summary>
internal sealed class SubscriberSession(StreamHost host, SubscriberEntry entry, int slot, SessionKind kind)
    : ISubscriberSession
{
    private bool _disposed;

    public SubscriberEntry Entry { get; } = entry;

    public int Slot { get; } = slot;

    public SessionKind Kind { get; } = kind;

    public SubscriberPolicy Policy { get; } = entry.State.Policy;

    public PushFailing? Failing { get; } = entry.State.Failing;

    public int PendingCount => host.PendingOf(Entry);

    public bool HasMore
    {
        get
        {
            var more = false;
            host.Act(Entry, (state, _) => more = !IsOver && state.HasMore(Slot));
            return more;
        }
    }

    public bool IsOver { get; set; }

    public Action? Woken { get; set; }

    public void Begin(long through) => host.Act(Entry, (state, _) => state.Begin(Slot, through));

    public void Jump(long after, long through) => host.Act(Entry, (state, _) => state.Jump(Slot, after, through));

    public ValueTask<OwedPage> Take(int limit, int maxBytes) => host.Take(this, limit, maxBytes);

    public void OnLine(ReadOnlySpan<EventSlot> slots, Span<LineCarry> carry) => host.OnLine(this, slots, carry);

    public void GoingOut(IReadOnlyList<long> seqs) =>
        host.Act(Entry, (state, _) => state.GoingOut(Slot, seqs));

    public void Delivered(IReadOnlyList<long> seqs) =>
        host.Act(Entry, (state, now) => state.Delivered(Slot, seqs, now));

    public Gap? Expired => host.ExpiredOf(Entry);

    public void ExpiredTold() => host.Act(Entry, (state, _) => state.ExpiryTold());

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        host.Detach(this);
    }
}
