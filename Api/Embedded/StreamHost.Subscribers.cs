using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    /// <summary>A subscriber that registered by reading is forgotten after this long without a connection.</summary>
    private static readonly TimeSpan ExpireAfter = TimeSpan.FromDays(1);

    private readonly Dictionary<string, SubscriberEntry> _subscribers = new(StringComparer.Ordinal);

    public IReadOnlyList<string> Subscribers
    {
        get
        {
            lock (_turn) return [.. _subscribers.Keys.Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Attaches a reader; null for a tombstone. The stream must be held by the caller.</summary>
    public async Task<Outcome<ISubscriberSession?>> Subscribe(string subscriber, int most)
    {
        SubscriberEntry? entry;
        lock (_turn)
        {
            if (_phase != Phase.Open) return Unregistered;
            if (!_subscribers.TryGetValue(subscriber, out entry))
            {
                if (IsRemoved_UnderLock(subscriber, context.Now)) return Outcome.Of<ISubscriberSession?>(null);
                if (_subscribers.Count + _removed.Count >= most)
                    return new Refusal(ErrorCode.RateLimited, $"The stream has {most} subscribers, its most.");
                // Storage may hold void events, which it would be owed, until it has taken a new epoch.
                if (_stream!.NeedsReopen) return Unregistered;
                entry = new SubscriberEntry(new Subscription(subscriber, context.Now.UnixMs));
                _subscribers.Add(subscriber, entry);
                _stream.ShownCritical ??= [];
                entry.Ready = Register(entry, _stream.Handle, Feed.Head);
                Owe_UnderLock(_stream);
            }
            entry.Connections++;
        }
        if (await entry.Ready) return new SubscriberSession(this, entry);
        Disconnected(entry);
        return Unregistered;
    }

    /// <summary>Acknowledges durably; null when the stream is not open.</summary>
    public async Task<Outcome<IReadOnlyList<Acknowledged>>?> Acknowledge(string subscriber, AckRequest request)
    {
        IReadOnlyList<Acknowledged> results;
        Task<bool> saved;
        // Not before it knows what it is owed: the watermark must not pass older events that are still being read.
        if (!await IsRegistered(subscriber)) return IsOpen ? NoSubscriber(subscriber) : null;
        lock (_turn)
        {
            if (_phase != Phase.Open) return null;
            if (!_subscribers.TryGetValue(subscriber, out var entry)) return NoSubscriber(subscriber);
            results = BeginAcknowledge(entry.State, request);
            var changed = results.Any(each => each.Result == AckResult.Acknowledged);
            saved = changed ? Save_UnderLock(entry) : Task.FromResult(true);
        }
        if (await saved) return Outcome.Of(results);
        return new Refusal(ErrorCode.StoreUnavailable, "The acknowledgement could not be stored.",
            TimeSpan.FromSeconds(1));
    }

    /// <summary>What a subscriber is owed above a number; null when the stream is not open.</summary>
    public async Task<Outcome<PendingPage>?> Pending(string subscriber, long after, int limit, int maxBytes)
    {
        List<OwedEvent> owed;
        LogHandle handle;
        if (!await IsRegistered(subscriber)) return IsOpen ? NoSubscriber(subscriber) : null;
        lock (_turn)
        {
            if (_phase != Phase.Open) return null;
            if (!_subscribers.TryGetValue(subscriber, out var entry)) return NoSubscriber(subscriber);
            owed = [.. entry.State.Pending(after).Take(limit + 1)];
            handle = _stream!.Handle;
        }
        var page = owed.Count > limit ? owed[..limit] : owed;
        var run = await ReadOwed([.. page.Select(each => each.Seq)], maxBytes);
        var attempts = new int[run.Count];
        for (int i = 0, j = 0; i < run.Count; i++, j++)
        {
            while (page[j].Seq != run.Slots[i].Seq) j++;
            attempts[i] = page[j].Attempt;
        }
        var last = run.Count > 0 ? run.Last : page.Count > 0 ? page[^1].Seq : after;
        return new PendingPage(run, attempts, new Cursor(handle.Epoch, last), owed.Count > run.Count);
    }

    private static Refusal Unregistered =>
        new(ErrorCode.StoreUnavailable, "The subscriber could not be registered.", TimeSpan.FromSeconds(1));

    public Refusal NoSubscriber(string subscriber) =>
        new(ErrorCode.NotFound, $"The stream {Name} has no subscriber {subscriber}.");

    private Task<bool> IsRegistered(string subscriber)
    {
        lock (_turn) return _subscribers.TryGetValue(subscriber, out var entry) ? entry.Ready : Task.FromResult(false);
    }

    /// <summary>The frames of owed events, from the ring or else from storage; those that are gone are left
    /// out.</summary>
    private async Task<EventRun> ReadOwed(IReadOnlyList<long> seqs, int maxBytes)
    {
        const int PageEvents = 64;
        var run = new EventRun();
        for (var i = 0; i < seqs.Count && run.Frames.Length < maxBytes;)
        {
            if (TryReadRing(seqs[i], run))
            {
                i++;
                continue;
            }
            using var stored = await context.Log.Read(_stream!.Handle.Id, seqs[i] - 1, PageEvents, maxBytes);
            if (stored.Count == 0) break;
            i = TakeMatching(seqs, i, stored, run);
        }
        return run;
    }

    private bool TryReadRing(long seq, EventRun into)
    {
        if (seq <= Feed.Floor) return false;
        var reader = new FeedReader(seq - 1);
        if (Feed.Read(ref reader, 1, out var block) != FeedRead.Block) return false;
        using (block)
        {
            if (block[0].Seq != seq) return false;
            into.Append(block[0], block.Frame(block[0]));
            return true;
        }
    }

    /// <summary>Copies the wanted events that a page holds; returns the first wanted one that lies beyond it.</summary>
    private static int TakeMatching(IReadOnlyList<long> seqs, int index, EventRun page, EventRun into)
    {
        foreach (ref readonly var slot in page.Slots)
        {
            while (index < seqs.Count && seqs[index] < slot.Seq) index++;
            if (index < seqs.Count && seqs[index] == slot.Seq)
            {
                into.Append(slot, page.FrameOf(slot));
                index++;
            }
        }
        return index;
    }

    private static List<Acknowledged> BeginAcknowledge(Subscription state, AckRequest request)
    {
        if (request.UpTo is { } upTo)
            return [.. state.BeginAcknowledgeUpTo(upTo.Seq)
                .Select(seq => new Acknowledged(new Cursor(upTo.Epoch, seq).ToString(), AckResult.Acknowledged))];
        return [.. request.Ids!.Select(id => new Acknowledged(id,
            Cursor.TryParse(id, out var cursor) ? state.BeginAcknowledge(cursor.Seq) : AckResult.Unknown))];
    }

    private async Task<bool> Register(SubscriberEntry entry, LogHandle handle, long head)
    {
        await Task.Yield();
        long[] owed = [];
        var ok = await Attempt(async () =>
        {
            await context.Log.SaveSubscriber(handle, new SubscriberWrite(entry.State.Name, entry.State.Save()));
            owed = [.. (await context.Log.ReadOwed(handle.Id, 0, false, false)).Select(mark => mark.Seq)];
        });
        lock (_turn)
        {
            // What became visible since came by way of the turn; what was trimmed since cannot be read any more.
            var trimmed = Feed.History.TrimmedThrough;
            if (ok) entry.State.OweOlder([.. owed.Where(seq => seq > trimmed && seq <= head)]);
            else _subscribers.Remove(entry.State.Name);
        }
        if (ok) Registered(context.Logger, Name, entry.State.Name, entry.State.PendingCount);
        return ok;
    }

    /// <summary>What closing must wait for: a save that came behind it would find the stream closed.</summary>
    private Task? Saving_UnderLock() => _subscribers.Values.FirstOrDefault(entry => entry.Saving)?.Saves;

    private Task<bool> Save_UnderLock(SubscriberEntry entry)
    {
        entry.NextSave ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
        var saved = entry.NextSave.Task;
        if (!entry.Saving)
        {
            entry.Saving = true;
            entry.Saves = RunSaves(entry);
        }
        return saved;
    }

    private async Task RunSaves(SubscriberEntry entry)
    {
        await Task.Yield();
        while (true)
        {
            TaskCompletionSource<bool>? waiting;
            IReadOnlyList<long> seqs;
            ReadOnlyMemory<byte> state;
            LogHandle handle;
            lock (_turn)
            {
                (waiting, entry.NextSave) = (entry.NextSave, null);
                if (waiting is null)
                {
                    entry.Saving = false;
                    return;
                }
                entry.State.LastSeenMs = context.Now.UnixMs;
                (seqs, state, handle) = (entry.State.Acknowledging, entry.State.Save(), _stream!.Handle);
            }
            var ok = await Attempt(
                () => context.Log.SaveSubscriber(handle, new SubscriberWrite(entry.State.Name, state)));
            if (ok && seqs.Count > 0 && context.Logger.IsEnabled(LogLevel.Debug))
                AcknowledgedSeqs(context.Logger, Name, entry.State.Name, string.Join(',', seqs));
            Turn((_, _) =>
            {
                // Who asked meanwhile waits for the next save: a failure here must not take these out of it.
                if (ok || entry.NextSave is null) entry.State.Acknowledged(seqs, ok);
            });
            waiting.TrySetResult(ok);
        }
    }

    private void Disconnected(SubscriberEntry entry)
    {
        lock (_turn)
        {
            if (--entry.Connections > 0 || _phase != Phase.Open) return;
            if (_subscribers.GetValueOrDefault(entry.State.Name) != entry) return;
            _ = Save_UnderLock(entry);
        }
    }

    private void LoadSubscribers_UnderLock(OpenedStream opened, long[] owed)
    {
        foreach (var record in opened.Subscribers)
        {
            var entry = new SubscriberEntry(new Subscription(record));
            if (entry.State.RemovedMs is { } removed)
            {
                _removed.Add(record.Name, removed);
                continue;
            }
            entry.State.Lapse(opened.TrimmedThrough);
            entry.State.OweOlder(owed);
            _subscribers.Add(record.Name, entry);
        }
        if (_subscribers.Count > 0) _stream!.ShownCritical = [];
    }

    private void Owe_UnderLock(EventStream stream)
    {
        if (stream.ShownCritical is not { } shown) return;
        foreach (var entry in _subscribers.Values)
            foreach (var seq in shown) entry.State.Owe(seq);
        shown.Clear();
        stream.AcknowledgedThrough = _subscribers.Count == 0
            ? 0
            : _subscribers.Values.Min(entry => entry.Ready.IsCompleted ? entry.State.DoneThrough(Feed.Head) : 0);
    }

    private void Lapse_UnderLock(long through)
    {
        foreach (var entry in _subscribers.Values)
            if (entry.State.Lapse(through) is > 0 and var lapsed)
                Lapsed(context.Logger, lapsed, Name, entry.State.Name);
    }

    private void Expire_UnderLock(Instant now)
    {
        var old = now.UnixMs - (long)ExpireAfter.TotalMilliseconds;
        foreach (var entry in _subscribers.Values.Where(each => each.Connections == 0 && each.State.LastSeenMs < old)
            .ToList())
        {
            _subscribers.Remove(entry.State.Name);
            var (handle, name) = (_stream!.Handle, entry.State.Name);
            _ = Attempt(() => context.Log.RemoveSubscriber(handle, name));
            Expired(context.Logger, Name, name);
        }
        ForgetRemoved_UnderLock(now);
    }

    [LoggerMessage(EventIds.Acknowledged, LogLevel.Debug,
        "Stream {Stream}: subscriber {Subscriber} acknowledged seq {Seqs}")]
    private static partial void AcknowledgedSeqs(ILogger logger, string stream, string subscriber, string seqs);

    [LoggerMessage(EventIds.SubscriberRegistered, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} registered, owed {Pending} events")]
    private static partial void Registered(ILogger logger, string stream, string subscriber, int pending);

    [LoggerMessage(EventIds.SubscriberLapsed, LogLevel.Warning,
        "{Count} events of stream {Stream} that subscriber {Subscriber} had not acknowledged passed their retention")]
    private static partial void Lapsed(ILogger logger, int count, string stream, string subscriber);

    [LoggerMessage(EventIds.SubscriberExpired, LogLevel.Information,
        "Stream {Stream}: subscriber {Subscriber} expired, a day without a connection")]
    private static partial void Expired(ILogger logger, string stream, string subscriber);

    /// <summary>One connection of a subscriber.</summary>
    private sealed class SubscriberSession(StreamHost host, SubscriberEntry entry) : ISubscriberSession
    {
        private bool _disposed;

        public int PendingCount
        {
            get
            {
                lock (host._turn) return entry.State.PendingCount;
            }
        }

        public OwedState StateOf(long seq)
        {
            lock (host._turn) return entry.State.StateOf(seq);
        }

        public async ValueTask<EventRun> ReadOwed(long after, long through, int limit, int maxBytes)
        {
            List<long> seqs;
            lock (host._turn)
                seqs = [.. entry.State.Pending(after).Select(each => each.Seq).TakeWhile(seq => seq <= through)
                    .Take(limit)];
            return await host.ReadOwed(seqs, maxBytes);
        }

        public void Delivered(IReadOnlyList<long> seqs)
        {
            lock (host._turn)
                foreach (var seq in seqs) entry.State.Delivered(seq);
        }

        public void Dispose()
        {
            if (_disposed) return;
            _disposed = true;
            host.Disconnected(entry);
        }
    }
}
