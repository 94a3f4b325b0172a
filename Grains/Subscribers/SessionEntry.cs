using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

/// <summary>A reader's session at its subscriber, in the slot that the state machine gave it.</summary>
internal sealed class SessionEntry(long id, int slot, SessionKind kind, ISessionListener listener)
{
    public long Id { get; } = id;

    public int Slot { get; } = slot;

    public SessionKind Kind { get; } = kind;

    public ISessionListener Listener { get; set; } = listener;

    /// <summary>When it ends without a word from its node, monotonic.</summary>
    public long LeaseEndsMs { get; set; }

    public bool IsOver { get; set; }

    /// <summary>Whether there may be something to take.</summary>
    public bool MayTake { get; set; }

    /// <summary>Whether its node was woken and has not been heard of since.</summary>
    public bool IsWoken { get; set; }

    public long Version { get; set; }

    /// <summary>The last batch, which may come again, and what it was answered.</summary>
    public (long Number, Task<SessionAnswer> Answer) Last { get; set; }

    /// <summary>The last page, which may be asked for again.</summary>
    public (long Number, Task<Outcome<TakenPage?>> Page) LastPage { get; set; }
}
