using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

internal sealed partial class StreamGrain : IOwingStreamGrain
{
    private const int MostMarks = 20_000;

    /// <summary>Most streams have none.</summary>
    private OwedSubscribers? _owing;

    private OwedSubscribers Owing
    {
        get
        {
            if (_owing is not null) return _owing;
            _owing = new OwedSubscribers(_name, GrainFactory, context.Options.Subscribers, logger);
            if (_stream is { } stream) _owing.Told(stream, _feed.Head);
            return _owing;
        }
    }

    public async Task<Outcome<ReportAnswer>> Report(string name, SubscriberReport report, bool create)
    {
        if (await EnsureOpen(create) is { } closed) return closed;
        Used();
        var stream = _stream!;
        if (!Owing.HasRoomFor(name))
            return new Refusal(Streams.ErrorCode.RateLimited,
                $"The stream has {context.Options.Subscribers.PerStream} subscribers, its most.");
        var isHeard = Owing.Take(name, report, stream, context.Now);
        Arm();
        var history = _feed.History;
        return new ReportAnswer(stream.Handle.Id, history.At(_feed.Head),
            [.. history.Epochs.Select(each => each.Epoch)], history.TrimmedThrough, history.DurableSince,
            isHeard ? Owing.Since(report.Position) : null);
    }

    public async Task Forget(string name, long epoch)
    {
        if (await EnsureOpen(create: false) is not null) return;
        _owing?.Forget(name, epoch);
        Arm();
    }

    public async Task<Outcome<OwedNumbers>> ReadOwed(long after, bool all, bool types)
    {
        if (await EnsureOpen(create: false) is { } closed) return closed;
        var (stream, head, floor, through) = (_stream!, _feed.Head, _feed.Floor, _stream!.ReadableThrough);
        var marks = new List<ShownEvent>();
        if (after < floor)
        {
            OwedMark[] stored = [];
            var isDurable = _feed.History.DurableSince is not null;
            var ok = await Attempt(async () =>
                stored = await context.Log.ReadOwed(stream.Handle.Id, after, all && isDurable, types));
            if (!ok) return StoreUnavailable;
            // What is not visible yet may never be; what was trimmed meanwhile cannot be read any more.
            var trimmed = _feed.History.TrimmedThrough;
            var last = Math.Min(through, floor);
            marks.AddRange(stored.Where(mark => mark.Seq > trimmed && mark.Seq <= last).Select(mark =>
                new ShownEvent(mark.Seq, stream.AppendedMsOf(mark.Seq), mark.Critical, Durable: true, mark.Type)));
        }
        if (!AddRing(marks, Math.Max(after, floor), head, all, types)) return await ReadOwed(after, all, types);
        var more = marks.Count > MostMarks;
        if (more) marks.RemoveRange(MostMarks, marks.Count - MostMarks);
        return new OwedNumbers(_feed.History.At(head),
            PackedMarks.Of(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(marks)), more, _feed.History);
    }

    public async Task<Outcome<PackedRun>> ReadEvents(long[] seqs, int maxBytes)
    {
        if (await EnsureOpen(create: false) is { } closed) return closed;
        Used();
        using var run = new EventRun();
        var reader = new FeedReader(0);
        for (var i = 0; i < seqs.Length && run.Frames.Length < maxBytes; i++)
        {
            if (seqs[i] <= _feed.Floor || seqs[i] > _feed.Head) continue;
            reader.MoveTo(seqs[i] - 1);
            if (_feed.Read(ref reader, 1, out var block) != FeedRead.Block) continue;
            using (block)
                if (block[0].Seq == seqs[i]) run.Append(block[0], block.Frame(block[0]));
        }
        return PackedRun.Of(run);
    }

    public async Task<Outcome<string[]>> SubscriberNames()
    {
        if (await EnsureOpen(create: false) is { } closed) return closed;
        return _owing?.Names ?? [];
    }

    /// <summary>Storage's subscribers, when the stream is opened, and what a blocking one may be owed.</summary>
    private async Task<IReadOnlyList<OwedMark>> ReadOwedOf(OpenedStream opened) =>
        OwedSubscribers.HasBlocking(opened, context.Options.Subscribers)
            ? await context.Log.ReadOwed(opened.Handle.Id, 0, all: false, types: false) : [];

    /// <summary>What is in the buffer; false when the buffer has moved meanwhile.</summary>
    private bool AddRing(List<ShownEvent> marks, long after, long head, bool all, bool types)
    {
        var reader = new FeedReader(after);
        var isDurable = _stream!.Settings.Durable;
        while (true)
        {
            switch (_feed.Read(ref reader, 1 << 20, out var block))
            {
                case FeedRead.Nothing: return true;
                case FeedRead.Behind: return false;
            }
            using (block)
            {
                for (var i = 0; i < block.Count; i++)
                {
                    ref readonly var slot = ref block[i];
                    if (slot.Seq > head) return true;
                    if (!slot.Critical && !all) continue;
                    marks.Add(new ShownEvent(slot.Seq, slot.AppendedMs, slot.Critical, slot.Critical || isDurable,
                        types ? block.Frame(slot).Slice(slot.TypeStart, slot.TypeLength).ToArray() : null));
                }
                reader.Pass(block, block.Count);
            }
        }
    }

    /// <summary>What is owed of what the stream is to let go is parked first.</summary>
    private void LookAtSubscribers(EventStream stream, Instant now)
    {
        _owing?.Tick(now);
        if (stream.OverdueThrough > 0) _owing?.Lapse(stream.OverdueThrough, now);
    }
}
