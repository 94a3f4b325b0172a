using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// One poll: what lies behind the position of each stream it reads, within a limit of events, of bytes and of events
/// looked at; waits for the first when there is nothing.
/// </summary>
internal sealed class PollAnswer(IEventStreams streams, ReadRequest request, ISubscriberSession? subscriber,
    int positionBytes, TimeProvider time, Operations operations) : IFeedWatcher
{
    private const int MostBytes = 1 << 20;
    private const int MostScanned = 20_000;
    private const int StoredPage = 1000;
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly EventShape _shape = new(request.TypesFor(subscriber), names: false, raw: false, ids: true);
    private readonly ArrayBufferWriter<byte> _events = new();
    private readonly List<PollLine> _lines = [];
    private readonly List<(string Stream, Gap Gap)> _gaps = [];
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;
    private int _scanned;
    private bool _more;
    private long _beganMs;

    /// <summary>How many events are in the page.</summary>
    public int Count => _count;

    /// <summary>The gaps that it tells.</summary>
    public IEnumerable<GapReason> Gaps => _gaps.Select(each => each.Gap.Reason);

    public void Advanced(StreamFeed feed) => Volatile.Read(ref _moved).TrySetResult();

    /// <summary>Reads, and waits as long as was asked for; refused when what is owed cannot be read. Throws when the
    /// client leaves.</summary>
    public async Task<Outcome<ReadOnlyMemory<byte>>> Make(IEnumerable<FeedLease> leases, CancellationToken cancel)
    {
        foreach (var lease in leases) _lines.Add(new PollLine(lease.Feed, request.FromOf(lease.Feed.Stream)));
        foreach (var line in _lines)
        {
            line.Feed.Watch(this);
            // The head of what is not there yet is before everything.
            if (line.Feed.History.State == StreamState.Absent && line.From.Kind == ReadFromKind.Head)
                line.From = ReadFrom.Beginning;
        }
        if (subscriber is not null)
        {
            subscriber.Begin(_lines[0].Feed.Head);
            subscriber.Woken = () => Volatile.Read(ref _moved).TrySetResult();
        }
        try
        {
            using var patience = new CancellationTokenSource(request.Wait, time);
            while (true)
            {
                Volatile.Write(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously));
                _beganMs = time.GetUtcNow().ToUnixTimeMilliseconds();
                if (await TakeOwed() is { } refusal) return refusal;
                foreach (var line in _lines)
                    if (await Read(line) is { } refused) return refused;
                if (IsAnswered || patience.IsCancellationRequested) break;
                await Task.WhenAny(_moved.Task, Task.Delay(Timeout.Infinite, patience.Token)).WaitAsync(cancel);
            }
        }
        finally
        {
            foreach (var line in _lines) line.Feed.Unwatch(this);
        }
        ReadOnlyMemory<byte> page = Answer();
        return page;
    }

    private bool IsAnswered => _count > 0 || _gaps.Count > 0 || _more || IsOver || subscriber is { IsOver: true }
        || _lines.Exists(line => line.Feed.History.State == StreamState.Lost);

    private bool IsOver => !request.HasWildcards && _lines.TrueForAll(line =>
        line.Feed.History.State is StreamState.Completed or StreamState.Deleted);

    private bool IsFull => _count >= request.Limit || _events.WrittenCount >= MostBytes || _scanned >= MostScanned;

    private readonly List<long> _carried = [];

    /// <summary>The answer goes out now.</summary>
    public void GoingOut()
    {
        if (_carried.Count > 0) subscriber!.GoingOut(_carried);
    }

    /// <summary>The answer has gone out.</summary>
    public void Sent()
    {
        if (_carried.Count > 0) subscriber!.Delivered(_carried);
        if (_tellsExpired) subscriber!.ExpiredTold();
    }

    private bool _tellsExpired;

    private async ValueTask<Refusal?> TakeOwed()
    {
        if (subscriber is null) return null;
        if (!_tellsExpired && subscriber.Expired is { } gap)
        {
            _tellsExpired = true;
            _gaps.Add((_lines[0].Feed.Stream, gap));
        }
        while (!IsFull)
        {
            var taken = await operations.LimitRead(subscriber.Take(request.Limit - _count,
                MostBytes - _events.WrittenCount), "read_owed", _lines[0].Feed.Stream);
            if (taken.Refusal is not null) return taken.Refusal;
            var page = taken.Value!;
            using var owed = page.Events;
            if (owed.Count == 0) return null;
            for (var i = 0; i < owed.Count; i++)
            {
                Add(_lines[0].Feed.Stream, owed.FrameOf(owed.Slots[i]), owed.Slots[i], page.Attempts[i]);
                _carried.Add(owed.Slots[i].Seq);
            }
        }
        _more |= _carried.Count < subscriber.PendingCount;
        return null;
    }

    private async ValueTask<Refusal?> Read(PollLine line)
    {
        if (!line.Started && !TryStart(line)) return null;
        while (true)
        {
            if (IsFull)
            {
                _more |= line.Reader.MayHaveMore && line.Reader.Seq < line.Feed.Head;
                return null;
            }
            switch (line.Feed.Read(ref line.Reader, MostBytes - _events.WrittenCount, out var block))
            {
                case FeedRead.Nothing:
                    return null;
                case FeedRead.Behind when await ReadStored(line):
                    continue;
                case FeedRead.Behind:
                    return null;
                default:
                    if (await Take(line, block) is { } refusal) return refusal;
                    break;
            }
        }
    }

    private bool TryStart(PollLine line)
    {
        if (line.Feed.History.State is not (StreamState.Open or StreamState.Completed)) return false;
        var start = line.Feed.Resolve(line.From);
        line.Reader.MoveTo(start);
        line.Started = true;
        if (start.Gap is { } gap) _gaps.Add((line.Feed.Stream, gap));
        return true;
    }

    private async ValueTask<Refusal?> Take(PollLine line, FeedBlock block)
    {
        using (block)
        {
            var count = Math.Min(block.Count, request.Limit - _count);
            if (subscriber is not null)
            {
                var slots = new EventSlot[count];
                for (var i = 0; i < count; i++) slots[i] = block[i];
                if (await Ask(line, slots) is { } refusal) return refusal;
            }
            var taken = 0;
            while (taken < count && !IsFull) Offer(line, block.Frame(block[taken]), block[taken++]);
            line.Reader.Pass(block, taken);
            return null;
        }
    }

    private async ValueTask<Refusal?> Ask(PollLine line, EventSlot[] slots)
    {
        return (await operations.LimitRead(Asked(), "ask_subscriber", line.Feed.Stream)).Refusal;

        async ValueTask<bool> Asked()
        {
            await subscriber!.Ask(slots);
            return true;
        }
    }

    /// <summary>Reads on behind the ring; false when storage does not answer.</summary>
    private async ValueTask<bool> ReadStored(PollLine line)
    {
        // Before reading: all up to it is in storage, so that what is not found there is not.
        var floor = line.Feed.Floor;
        if (!IsStored(line))
        {
            var start = line.Feed.Overtaken(line.Reader, GapReason.Evicted);
            line.Reader.MoveTo(start);
            if (start.Gap is { } gap) _gaps.Add((line.Feed.Stream, gap));
            return true;
        }
        var read = await operations.LimitSimple(
            streams.ReadStored(line.Feed.Stream, line.Reader.Seq, StoredPage, MostBytes), "read_stored",
            line.Feed.Stream);
        line.IsStuck = read.Refusal is not null;
        if (line.IsStuck) return false;
        using var run = read.Value!;
        if (subscriber is not null && await Ask(line, run.Slots.ToArray()) is not null)
        {
            line.IsStuck = true;
            return false;
        }
        // Trimmed meanwhile: the next turn tells of it.
        if (!IsStored(line)) return true;
        var last = run.Count > 0 ? line.Reader.Seq : Math.Max(floor, line.Reader.Seq);
        foreach (ref readonly var slot in run.Slots)
        {
            if (IsFull) break;
            Offer(line, run.FrameOf(slot), slot);
            last = slot.Seq;
        }
        line.Reader.MoveTo(last);
        return true;
    }

    private static bool IsStored(PollLine line) =>
        line.Feed.History.StoredSince is { } since && line.Reader.Seq >= since;

    private void Offer(PollLine line, ReadOnlySpan<byte> frame, in EventSlot slot)
    {
        _scanned++;
        if (slot.AppendedMs < line.From.SinceMs || !_shape.Wants(frame, slot)) return;
        if (subscriber is not null)
        {
            var carry = LineCarry.Plain;
            subscriber.OnLine(new(in slot), new(ref carry));
            if (carry == LineCarry.Skip) return;
            if (carry == LineCarry.Owed) _carried.Add(slot.Seq);
        }
        Add(line.Feed.Stream, frame, slot);
    }

    private void Add(string stream, ReadOnlySpan<byte> frame, in EventSlot slot, int attempt = 1)
    {
        if (Spans.AreWanted) Spans.Deliver(stream, frame, slot.Seq, "poll");
        if (_count++ > 0) _events.Write(","u8);
        EventShape.WriteJson(_events, frame, slot, attempt);
    }

    private ArraySegment<byte> Answer()
    {
        var body = new ArrayBufferWriter<byte>(_events.WrittenCount + 512);
        body.Write("{\"events\":["u8);
        body.Write(_events.WrittenSpan);
        body.Write("],"u8);
        var rest = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(rest, s_json))
        {
            json.WriteStartObject();
            WriteRest(json);
            json.WriteEndObject();
        }
        body.Write(rest.WrittenSpan[1..]);
        return body.WrittenSpan.ToArray();
    }

    private void WriteRest(Utf8JsonWriter json)
    {
        json.WriteString("cursor", request.IsMany ? ManyPosition() : Position(_lines[0]));
        if (_gaps.Count > 0)
        {
            json.WriteStartObject("gap");
            GapJson.Write(json, _gaps[0].Stream, _gaps[0].Gap);
            json.WriteEndObject();
        }
        if (request.IsMany) WriteGaps(json);
        else WriteBounds(json, _lines[0].Feed);
        json.WriteBoolean("more", _more);
        json.WriteBoolean("completed", IsOver);
    }

    private void WriteGaps(Utf8JsonWriter json)
    {
        json.WriteStartArray("gaps");
        foreach (var (stream, gap) in _gaps)
        {
            json.WriteStartObject();
            GapJson.Write(json, stream, gap);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteBounds(Utf8JsonWriter json, StreamFeed feed)
    {
        var there = feed.History.State is StreamState.Open or StreamState.Completed;
        json.WriteString("head", there ? feed.History.At(feed.Head).ToString() : null);
        json.WriteString("oldest", there ? feed.History.At(feed.Floor).ToString() : null);
    }

    private static string Position(PollLine line) =>
        line.Started ? line.Reader.Position.ToString()
        : line.From.Kind == ReadFromKind.Cursor ? line.From.Text! : "0";

    private string ManyPosition() => ManyCursor.Format(
        _lines.Where(line => line.Known is not null)
            .Select(line => KeyValuePair.Create(line.Feed.Stream, line.Known!.Value)),
        // A time is one at which all had been passed: not while something is left.
        _more || _lines.Exists(line => line.IsStuck) ? request.Position?.TimeMs ?? 0 : _beganMs, positionBytes);

    private sealed class PollLine(StreamFeed feed, ReadFrom from)
    {
        public FeedReader Reader;

        public StreamFeed Feed { get; } = feed;

        public ReadFrom From { get; set; } = from;

        public Cursor? Known =>
            Started ? Reader.Position : From.Kind == ReadFromKind.Cursor ? From.Cursor : null;

        /// <summary>Whether storage did not answer.</summary>
        public bool IsStuck { get; set; }

        public bool Started { get; set; }
    }
}
