using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Taps;

/// <summary>What a tap does with a push.</summary>
internal enum TapVerdict
{
    /// <summary>Nothing in it is new.</summary>
    Drop,

    /// <summary>It goes on where the tap is, or before: what is above the tap's head is next.</summary>
    Take,

    /// <summary>Something before it was missed, or the stream has another epoch: the owner must be read.</summary>
    Resync,
}

/// <summary>
/// Where a tap is on its stream's line. Numbers are given once in a stream's whole life, so a word of an earlier epoch
/// that comes late lies below the head; one that does not is an epoch that this tap has yet to hear of.
/// </summary>
internal readonly record struct TapPosition(ulong Epoch, long Head)
{
    public TapVerdict Judge(TapPush push) =>
        push.Head <= Head ? TapVerdict.Drop
        : push.Epoch == Epoch && push.Previous <= Head && push.Events.Count > 0 ? TapVerdict.Take
        : TapVerdict.Resync;

    /// <summary>Whether the owner's answer to a renewal shows that this tap is deaf: another epoch, or a head that
    /// it had been told at the renewal before and has not come to.</summary>
    public bool IsDeaf(Cursor head, long toldBefore) => head.Epoch != Epoch || toldBefore > Head;
}
