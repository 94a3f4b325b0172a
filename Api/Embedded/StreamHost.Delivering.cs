using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    private const int StoredPage = 64;

    /// <summary>The next events for a session to carry beside its line.</summary>
    public async ValueTask<OwedPage> Take(SubscriberSession session, int limit, int maxBytes)
    {
        while (true)
        {
            List<OwedEvent> taken = [];
            Act(session.Entry, (state, _) => taken = session.IsOver ? [] : state.Take(session.Slot, limit));
            if (taken.Count == 0) return new OwedPage(new EventRun(), []);
            EventRun read;
            var earlier = new Dictionary<long, int>();
            var seqs = new long[taken.Count];
            for (var i = 0; i < seqs.Length; i++) seqs[i] = taken[i].Seq;
            try
            {
                read = await ReadOwed(session.Entry, seqs, maxBytes, earlier);
            }
            catch (LogUnavailableException)
            {
                Act(session.Entry, (state, _) => taken.ForEach(each => state.GiveBack(session.Slot, each.Seq)));
                throw;
            }
            if (StillGiven(session, taken, read, earlier) is { } page) return page;
        }
    }

    /// <summary>Of what was taken and read what nobody has acknowledged meanwhile; null when that is nothing. The rest
    /// is given back.</summary>
    private OwedPage? StillGiven(SubscriberSession session, List<OwedEvent> taken, EventRun read,
        Dictionary<long, int> earlier)
    {
        var (attempts, given, next) = (new List<int>(read.Count), new List<int>(read.Count), 0);
        Act(session.Entry, (state, _) =>
        {
            for (var i = 0; i < read.Count; i++)
            {
                var seq = read.Slots[i].Seq;
                while (taken[next].Seq != seq) next++;
                var attempt = taken[next++].Attempt + earlier.GetValueOrDefault(seq);
                if (!state.IsGiven(session.Slot, seq)) continue;
                given.Add(i);
                attempts.Add(attempt);
            }
            for (; next < taken.Count; next++) state.GiveBack(session.Slot, taken[next].Seq);
        });
        // Mostly all of them.
        if (given.Count > 0 && given.Count == read.Count) return new OwedPage(read, attempts);
        using (read)
        {
            if (given.Count == 0) return null;
            var run = new EventRun();
            foreach (var index in given) run.Append(read.Slots[index], read.FrameOf(read.Slots[index]));
            return new OwedPage(run, attempts);
        }
    }

    /// <summary>What the line of a session does with events.</summary>
    public void OnLine(SubscriberSession session, ReadOnlySpan<EventSlot> slots, Span<LineCarry> carry)
    {
        var durableSince = Feed.History.DurableSince ?? long.MaxValue;
        lock (_turn)
        {
            for (var i = 0; i < slots.Length; i++)
                carry[i] = session.Entry.State.OnLine(session.Slot, slots[i].Seq, slots[i].Critical,
                    slots[i].Critical || slots[i].Seq > durableSince);
        }
    }

    public int PendingOf(SubscriberEntry entry)
    {
        lock (_turn) return entry.State.PendingCount;
    }

    /// <summary>Dead letters past their limit, if no reader was told of them.</summary>
    public Gap? ExpiredOf(SubscriberEntry entry)
    {
        lock (_turn)
            return entry.State is { IsExpiryTold: false, Expired: { } range }
                ? new Gap(Feed.History.At(range.First - 1).ToString(), Feed.History.At(range.Last), range.Count,
                    GapReason.Expired)
                : null;
    }

    /// <summary>Acknowledges durably; null when the stream is not open.</summary>
    public async Task<Outcome<IReadOnlyList<Acknowledged>>?> Acknowledge(string subscriber, AckRequest request)
    {
        if (await Registered(subscriber) is not { } entry) return IsOpen ? NoSubscriber(subscriber) : null;
        Outcome<IReadOnlyList<Acknowledged>>? begun = null;
        var saved = await Save(entry, state => (begun = state.BeginAcknowledge(request, Feed.History)).Value.Value
            ?.Any(each => each.Result == AckResult.Acknowledged) ?? false);
        if (begun is not { Refusal: null, Value: { } results }) return begun;
        if (!saved && results.Any(each => each.Result == AckResult.Acknowledged))
            return new Refusal(ErrorCode.StoreUnavailable, "The acknowledgement could not be stored.",
                TimeSpan.FromSeconds(1));
        if (context.Logger.IsEnabled(LogLevel.Debug))
            AcknowledgedSeqs(context.Logger, Name, subscriber, string.Join(',', results.Select(each =>
                Cursor.TryParse(each.Id, out var cursor) ? cursor.Seq : 0)));
        return Outcome.Of(results);
    }

    /// <summary>Has events come again; null when the stream is not open.</summary>
    public async Task<Outcome<IReadOnlyList<NotAcknowledged>>?> Nack(string subscriber, NackRequest request)
    {
        if (await Registered(subscriber) is not { } entry) return IsOpen ? NoSubscriber(subscriber) : null;
        IReadOnlyList<NackResult> results = [];
        var saved = await Save(entry, state =>
        {
            results = state.Nack([.. request.Ids.Select(id => Cursor.TryParse(id, out var cursor) ? cursor.Seq : 0)],
                request.Delay, request.Reason, context.Now, request.Failing);
            return results.Contains(NackResult.Parked);
        });
        if (results.Count == 0) return null;
        // What is said to be parked is: whoever lists dead letters next finds it.
        if (!saved && results.Contains(NackResult.Parked)) return StoreCircuit.Untaken;
        return Outcome.Of<IReadOnlyList<NotAcknowledged>>(
            [.. request.Ids.Zip(results, (id, result) => new NotAcknowledged(id, result))]);
    }

    /// <summary>The frames of owed events, from the ring, else from storage, else from their parked copies; at most so
    /// many bytes, but for the first. Those that are nowhere are owed no more. Of dead letters that are owed again
    /// <paramref name="earlier"/> is given how often they had been delivered.</summary>
    private async Task<EventRun> ReadOwed(SubscriberEntry entry, long[] seqs, int maxBytes,
        Dictionary<long, int>? earlier = null)
    {
        var run = new EventRun();
        var again = Replaying(entry, seqs);
        for (var i = 0; i < seqs.Length && (run.Count == 0 || run.Frames.Length < maxBytes);)
        {
            var before = run.Count;
            if (!again.Contains(seqs[i])) ReadRing(seqs, ref i, again, maxBytes, run);
            if (run.Count > before) continue;
            if (!again.Contains(seqs[i]))
                using (var stored = await context.Log.Read(_stream!.Handle.Id, seqs[i] - 1, StoredPage, maxBytes))
                    TakeMatching(seqs, ref i, again, stored, run);
            if (run.Count > before) continue;
            if (!await TryReadParked(entry, seqs[i], run, earlier)) Lose(entry, seqs[i]);
            i++;
        }
        return run;
    }

    private HashSet<long> Replaying(SubscriberEntry entry, long[] seqs)
    {
        lock (_turn) return entry.State.ReplayingCount == 0 ? Nothing : [.. seqs.Where(entry.State.IsReplaying)];
    }

    /// <summary>Copies the wanted events that the ring holds next to each other.</summary>
    private void ReadRing(long[] seqs, ref int index, HashSet<long> again, int maxBytes, EventRun into)
    {
        if (seqs[index] <= Feed.Floor) return;
        var reader = new FeedReader(seqs[index] - 1);
        if (Feed.Read(ref reader, Math.Max(1, maxBytes - into.Frames.Length), out var block) != FeedRead.Block) return;
        using (block)
        {
            for (var i = 0; i < block.Count && index < seqs.Length; i++)
            {
                var slot = block[i];
                if (slot.Seq > seqs[index] || again.Contains(seqs[index])) return;
                if (slot.Seq < seqs[index]) continue;
                into.Append(slot, block.Frame(slot));
                index++;
            }
        }
    }

    private async Task<bool> TryReadParked(SubscriberEntry entry, long seq, EventRun into,
        Dictionary<long, int>? earlier)
    {
        var page = await context.Log.ReadParked(_stream!.Handle.Id, entry.State.Name, seq - 1, 1, int.MaxValue);
        using var events = page.Events;
        if (events.Count == 0 || events.First != seq) return false;
        into.Append(events.Slots[0], events.FrameOf(events.Slots[0]));
        earlier?.Add(seq, Subscription.ReadNote(page.Notes[0]).Attempts);
        return true;
    }

    /// <summary>Copies the wanted events that a page holds, as far as they follow each other.</summary>
    private static void TakeMatching(long[] seqs, ref int index, HashSet<long> again, EventRun page,
        EventRun into)
    {
        foreach (ref readonly var slot in page.Slots)
        {
            if (index >= seqs.Length || seqs[index] < slot.Seq || again.Contains(seqs[index])) return;
            if (seqs[index] != slot.Seq) continue;
            into.Append(slot, page.FrameOf(slot));
            index++;
        }
    }

    private void Lose(SubscriberEntry entry, long seq)
    {
        Lost(context.Logger, Name, entry.State.Name, seq);
        Act(entry, (state, now) => state.Missing(seq, now));
    }

    [LoggerMessage(EventIds.Acknowledged, LogLevel.Debug,
        "Stream {Stream}: subscriber {Subscriber} acknowledged seq {Seqs}")]
    private static partial void AcknowledgedSeqs(ILogger logger, string stream, string subscriber, string seqs);

    [LoggerMessage(EventIds.OwedEventLost, LogLevel.Warning,
        "Stream {Stream}: seq {Seq}, owed to subscriber {Subscriber}, is in neither buffer nor storage any more")]
    private static partial void Lost(ILogger logger, string stream, string subscriber, long seq);
}
