using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

internal sealed partial class StreamGrain
{
    private const int MostEvents = 10_000;
    private const int MostBytes = 8 << 20;

    public async Task<Outcome<ReadPage>> Read(ReadFrom from, int maxEvents, int maxBytes)
    {
        if (await EnsureOpen(create: false) is { } closed) return closed;
        Used();
        (maxEvents, maxBytes) = (Math.Clamp(maxEvents, 1, MostEvents), Math.Clamp(maxBytes, 1, MostBytes));
        while (true)
        {
            var start = _feed.Resolve(from);
            using var run = new EventRun();
            var position = start.Seq;
            if (position < _feed.Floor)
            {
                var reached = await ReadStored(run, position, maxEvents, maxBytes);
                if (reached is null) return StoreUnavailable;
                // Trimmed while it was read: what is missing now has to be told.
                if (_feed.History.TrimmedThrough > start.Seq) continue;
                position = reached.Value;
            }
            position = ReadRing(run, position, maxEvents, maxBytes);
            return new ReadPage(start.Gap, PackedRun.Of(run), _feed.History.At(position), position < _feed.Head);
        }
    }

    public async Task<Outcome<PackedRun>> ReadStored(long after, int maxEvents, int maxBytes)
    {
        if (await EnsureOpen(create: false) is { } closed) return closed;
        Used();
        using var run = new EventRun();
        var reached = await ReadStored(run, after, Math.Clamp(maxEvents, 1, MostEvents),
            Math.Clamp(maxBytes, 1, MostBytes));
        return reached is null ? StoreUnavailable : PackedRun.Of(run);
    }

    public async Task<Outcome<FillPage>> Fill(Cursor position, int maxBytes, bool dense)
    {
        if (await EnsureOpen(create: false) is { Code: not Streams.ErrorCode.NotFound } closed) return closed;
        Used();
        var (filling, after) = StreamReplica.From(_feed, position);
        maxBytes = Math.Clamp(maxBytes, 1, MostBytes);
        var (events, packed) = (PackedRun.Empty, (DenseRun?)null);
        long reached;
        if (dense)
        {
            var reader = new FeedReader(after);
            packed = DenseRun.Of(_feed, ref reader, int.MaxValue, maxBytes, out var found);
            reached = found == FeedRead.Nothing ? Math.Max(reader.Seq, _feed.Head) : reader.Seq;
        }
        else
        {
            using var run = new EventRun();
            reached = ReadRing(run, after, MostEvents, maxBytes);
            events = PackedRun.Of(run);
        }
        // The view in the same turn as the events.
        Taps.See(_stream?.Settings ?? context.Options.Defaults);
        return new FillPage(filling, after, reached, reached < _feed.Head, events, Taps.ViewNo, Taps.View,
            packed);
    }

    /// <summary>Reads on behind the ring; returns what has been passed then, null without storage's answer.</summary>
    private async Task<long?> ReadStored(EventRun into, long after, int maxEvents, int maxBytes)
    {
        var (handle, floor, through) = (_stream!.Handle, _feed.Floor, _stream.ReadableThrough);
        EventRun? found = null;
        var ok = await Attempt(async () => found = await context.Log.Read(handle.Id, after, maxEvents, maxBytes));
        if (!ok) return null;
        using var stored = found!;
        // What a commit in flight has written is not visible yet, and may never be; what was made void never is.
        stored.TruncateAfter(through);
        into.Append(stored);
        return stored.Count > 0 ? stored.Last : floor;
    }

    /// <summary>Reads on in the ring; returns what has been passed then.</summary>
    private long ReadRing(EventRun into, long after, int maxEvents, int maxBytes)
    {
        var reader = new FeedReader(after);
        while (into.Count < maxEvents && into.Frames.Length < maxBytes)
        {
            switch (_feed.Read(ref reader, maxBytes - into.Frames.Length, out var block))
            {
                // The head may lie above the newest event: after a crash, whatever was given is passed.
                case FeedRead.Nothing: return Math.Max(reader.Seq, _feed.Head);
                case FeedRead.Behind: return reader.Seq;
            }
            using (block)
            {
                var count = Math.Min(block.Count, maxEvents - into.Count);
                for (var i = 0; i < count; i++) into.Append(block[i], block.Frame(block[i]));
                reader.Pass(block, count);
            }
        }
        return reader.Seq;
    }
}
