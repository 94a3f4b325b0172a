using System.Buffers.Binary;
using System.Runtime.InteropServices;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>
/// A run of encoded events as it travels between nodes that both know this form: of each event what differs from the
/// one before, which is its data and a few digits of what stands before them. That is half of the bytes, and bytes are
/// what moving a stream between nodes costs. Nothing of an event is looked into: what comes out is what went in.
/// <para>Eight bytes say how many events and bytes of frames there are (little-endian). Then each event is a byte of
/// flags and either its slot and its frame, or the new length of its data and the time since the event before, where
/// they are not the same, patches to the frame before (each where it begins behind the last, how long it is, and its
/// bytes), and the bytes from its data on.</para>
/// <para>The bytes are pooled: who made the run, or had it made by reading it from a connection, gives them back when
/// nobody reads them any more, or leaves them to the collector when that is not known.</para>
/// </summary>
[Immutable, Alias("OrleansEvents.DenseRun")]
public sealed class DenseRun
{
    /// <summary>Bytes that a run may have.</summary>
    public const int MostBytes = 64 << 20;

    internal const int HeadLength = 8;

    private byte[]? _bytes;
    private readonly int _length;
    private readonly bool _isRead;

    internal DenseRun(byte[] bytes, int length, bool isRead) => (_bytes, _length, _isRead) = (bytes, length, isRead);

    /// <summary>The run, packed. Not to be looked at after it was given back.</summary>
    public ReadOnlySpan<byte> Bytes =>
        (_bytes ?? throw new ObjectDisposedException(nameof(DenseRun))).AsSpan(0, _length);

    /// <summary>Packs what a feed holds behind a reader's position, which moves; null when there is nothing, or the
    /// reader is behind.</summary>
    /// <param name="feed">The feed.</param>
    /// <param name="reader">The reader.</param>
    /// <param name="maxEvents">Events at most.</param>
    /// <param name="maxBytes">Bytes of frames at most, unless the first event alone is larger.</param>
    /// <param name="found">What the last read found: a block when there may be more.</param>
    public static DenseRun? Of(StreamFeed feed, ref FeedReader reader, int maxEvents, int maxBytes, out FeedRead found)
    {
        DensePacking? packing = null;
        found = FeedRead.Block;
        while ((packing?.Bytes ?? 0) < maxBytes && (packing?.Count ?? 0) < maxEvents)
        {
            found = feed.Read(ref reader, maxBytes - (packing?.Bytes ?? 0), out var block);
            if (found != FeedRead.Block) break;
            using (block)
            {
                // The first of a block may be larger than what was asked for.
                if (packing is not null && block.Frames.Length > maxBytes - packing.Bytes) break;
                packing ??= new DensePacking();
                var count = Math.Min(block.Count, maxEvents - packing.Count);
                packing.Add(block, count);
                reader.Pass(block, count);
            }
        }
        return packing?.Done();
    }

    /// <summary>The events above a number; the caller disposes the run. Throws <see cref="FormatException"/> for what
    /// was not packed by this type.</summary>
    public EventRun Above(long seq)
    {
        var from = Bytes;
        if (from.Length < HeadLength) throw Malformed();
        var count = BinaryPrimitives.ReadInt32LittleEndian(from);
        var frames = BinaryPrimitives.ReadInt32LittleEndian(from[4..]);
        if (count < 0 || count > from.Length - HeadLength || frames is < 0 or > MostBytes) throw Malformed();
        var all = new EventRun(frames + 1, count + 1);
        try
        {
            DenseReading.Into(all, from[HeadLength..], count);
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            all.Dispose();
            throw Malformed();
        }
        return Above(all, seq);
    }

    /// <summary>Gives the bytes back: nobody reads them any more.</summary>
    public void Release()
    {
        if (Interlocked.Exchange(ref _bytes, null) is { } bytes) BytePool.Return(bytes);
    }

    /// <summary>Gives the bytes back if they were read from a connection: within one node they are the
    /// sender's.</summary>
    public void ReleaseRead()
    {
        if (_isRead) Release();
    }

    internal static FormatException Malformed() => new("This is not a dense run.");

    private static EventRun Above(EventRun all, long seq)
    {
        if (all.Count == 0 || all.First > seq) return all;
        using (all)
        {
            var from = 0;
            while (from < all.Count && all.Slots[from].Seq <= seq) from++;
            var run = new EventRun(all.Frames.Length + 1, all.Count - from + 1);
            if (from < all.Count) run.Append(all.Frames.Span[all.Slots[from].Offset..], all.Slots[from..]);
            return run;
        }
    }
}

/// <summary>What an event is told by.</summary>
[Flags]
internal enum DenseForm : byte
{
    /// <summary>By its slot and its whole frame.</summary>
    Whole = 0,

    /// <summary>By what differs from the event before, whose number is one less.</summary>
    Patched = 1,

    /// <summary>Its data have another length.</summary>
    OtherLength = 2,

    /// <summary>It was appended later.</summary>
    Later = 4,
}
