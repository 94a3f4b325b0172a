namespace OrleansEvents.Streams;

/// <summary>
/// The state machine of one stream, as its one owner holds it. It numbers and encodes events, decides what must be
/// durable before it is visible, remembers keys, and says what to write, to trim and to reopen; the host performs
/// that and reports back. Every method is called in the owner's turn, one at a time; only <see cref="Feed"/> is read
/// from elsewhere.
/// <para>Ordinary events go straight into the feed. A batch that must be durable is <i>staged</i>, and so is all that
/// comes behind it, so that events become visible strictly in order. One commit is in flight at a time and takes
/// every durable run that waits (<see cref="NextCommit"/>). A committed run at the front of the stage is released
/// into the feed together with what waits behind it.</para>
/// <para>A commit that fails, or that lets ordinary events wait for more than a second, makes the staged durable
/// batches <i>void</i>: their numbers are burnt, their keys forgotten, their publishers refused. The stream is then
/// <see cref="NeedsReopen"/>: ordinary events go on, durable ones are refused, until storage has taken a new epoch
/// and deleted everything above <see cref="Confirmed"/>, since the failed commit may have happened after all.</para>
/// <para>Invariants: numbers only grow; nothing is visible that a crash takes back, if it was durable; keys, settings
/// and completion change in memory after they are on storage.</para>
/// </summary>
public sealed partial class EventStream
{
    [ThreadStatic]
    private static EventRun? t_scratch;

    [ThreadStatic]
    private static List<KeyMark>? t_marks;

    private readonly StreamLimits _limits;
    private KeyWindow _keys;
    private long _next;
    private long _reservedThrough;
    private bool _logAll;

    /// <summary>The stream as it was opened; <paramref name="ring"/> fills the feed, oldest first.</summary>
    public EventStream(StreamFeed feed, OpenedStream opened, StreamSettings settings, EventRun ring,
        StreamLimits limits, Instant now)
    {
        (Feed, Settings, _limits) = (feed, settings, limits);
        (Handle, CreatedMs) = (opened.Handle, opened.CreatedMs);
        _next = opened.Epochs[^1].First;
        _reservedThrough = opened.ReservedThrough;
        _logAll = settings.Durable;
        Confirmed = _next - 1;
        foreach (var extent in opened.Extents) _stored.Add(extent);
        foreach (var key in opened.Keys)
        {
            // A mark stands for no content; no content has that hash.
            if (key.Hash == default) _requests.Load(key, RepeatedWithin, now);
            else _keys.Load(key, settings.DedupeWindow, now);
        }
        Load(ring, opened.Closed?.Floor, now);
        // Last: whoever finds the stream open finds its positions too.
        feed.History = new StreamHistory
        {
            State = opened.Completed ? StreamState.Completed : StreamState.Open,
            Epochs = opened.Epochs,
            DurableSince = opened.DurableSince,
            TrimmedThrough = opened.TrimmedThrough,
        };
    }

    /// <summary>The read side.</summary>
    public StreamFeed Feed { get; }

    /// <summary>The stream's own settings over the server's defaults.</summary>
    public StreamSettings Settings { get; private set; }

    /// <summary>What every write of this opening names.</summary>
    public LogHandle Handle { get; private set; }

    /// <summary>When the stream was made, Unix milliseconds.</summary>
    public long CreatedMs { get; }

    /// <summary>The last number that was given.</summary>
    public long LastGiven => _next - 1;

    /// <summary>
    /// Appends a request's events together or not at all. Refused with <c>STREAM_COMPLETED</c>, <c>KEY_CONFLICT</c>,
    /// <c>RATE_LIMITED</c> (too many keys), <c>BACKLOG_FULL</c> or <c>STORE_UNAVAILABLE</c>.
    /// </summary>
    /// <param name="events">At least one, checked.</param>
    /// <param name="now">The time.</param>
    /// <param name="each">Filled with an entry for each event when given.</param>
    /// <param name="request">Who may repeat the request, if anybody may; a repetition whose first outcome cannot be
    /// known is refused with <c>STORE_UNAVAILABLE</c>.</param>
    public AppendResult Append(ReadOnlySpan<NewEvent> events, Instant now, List<PublishedEvent>? each = null,
        RequestMark? request = null)
    {
        if (request is { Again: true } again && CheckRepeated(again, events.Length, now, each) is { } known)
            return known;
        if (_ending || Feed.History.State != StreamState.Open)
            return AppendResult.Refused(ErrorCode.StreamCompleted, $"The stream {Feed.Stream} is completed.");
        if (events.Length > NumbersLeft)
            return AppendResult.Refused(ErrorCode.StoreUnavailable, "No numbers are reserved.",
                TimeSpan.FromSeconds(1));
        if (CheckKeys(events, now) is { } undecided) return undecided;

        var scratch = Scratch();
        var published = Encode(events, scratch, now, each, out var criticals);
        if (published.Count == 0) return new AppendResult { Published = published };
        var durable = criticals > 0 || _logAll;
        if (criticals > 0 && BacklogRoom < int.MaxValue && criticals + StagedCriticals > BacklogRoom)
        {
            _next = scratch.First;
            return AppendResult.Refused(ErrorCode.BacklogFull,
                $"A subscriber of the stream {Feed.Stream} is owed as much as it may be.", TimeSpan.FromSeconds(1));
        }
        if ((durable ? RefuseDurable(scratch) : RefuseBehind(scratch)) is { } refused)
        {
            _next = scratch.First;
            return refused;
        }
        if (request is { } asked && RefuseRequest(asked, events, durable) is { } cannot)
        {
            _next = scratch.First;
            return cannot;
        }
        published = published with { Durable = durable };
        if (!durable && _staged.Count == 0)
        {
            RememberKeys(events, scratch, null, now);
            Show(scratch, now);
            return new AppendResult { Published = published };
        }
        var pending = Stage(scratch, durable, now);
        RememberKeys(events, scratch, pending, now);
        if (durable && request is { } mark && Marks.Count == 0)
            RememberRequest(mark, published.First, pending, now);
        return new AppendResult { Published = published, Pending = pending };
    }

    /// <summary>Of the request that is being appended.</summary>
    private static List<KeyMark> Marks => t_marks ??= [];

    private long NumbersLeft => (_reopenAt is { } at ? Math.Min(at - 1,
        _reservedThrough) : _reservedThrough) - LastGiven;

    private static EventRun Scratch()
    {
        const int KeptBytes = 1 << 20;
        if (t_scratch is null || t_scratch.Frames.Length > KeptBytes) t_scratch = new EventRun();
        t_scratch.Truncate(0);
        return t_scratch;
    }

    private Published Encode(ReadOnlySpan<NewEvent> events, EventRun run, Instant now, List<PublishedEvent>? each,
        out int criticals)
    {
        criticals = 0;
        var epoch = Handle.Epoch;
        var (encoder, marks) = (EventEncoder.For(Feed.Stream), Marks);
        for (var i = 0; i < events.Length; i++)
        {
            if (marks.Count > 0 && marks[i].IsDuplicate)
            {
                var mark = marks[i];
                each?.Add(new(mark.First?.Id ?? each[mark.Twin].Id, Duplicate: true));
                continue;
            }
            ref readonly var @event = ref events[i];
            var critical = @event.Critical ?? Settings.Critical.IsCritical(@event.Type.Span, @event.Data.Span);
            if (critical) criticals++;
            var id = new Cursor(epoch, _next++);
            encoder.Encode(run, id, @event, critical, now);
            each?.Add(new(id, Duplicate: false));
        }
        if (run.Count == 0) return AllDuplicates(events.Length);
        return new(new(epoch, run.First), new(epoch, run.Last), run.Count, events.Length - run.Count, Durable: false);
    }

    /// <summary>Events that somebody may be owed and that became visible since the host last emptied the list; null
    /// when nobody wants them.</summary>
    public List<ShownEvent>? Shown { get; set; }

    /// <summary>Whether <see cref="Shown"/> takes ordinary events too.</summary>
    public bool ShowsOrdinary { get; set; }

    /// <summary>Whether <see cref="Shown"/> takes types.</summary>
    public bool ShowsTypes { get; set; }

    /// <summary>Critical events that may yet be published before a subscriber that blocks is owed its most; what
    /// waits for storage counts. The host keeps it.</summary>
    public int BacklogRoom { get; set; } = int.MaxValue;

    /// <summary>Whether storage is known to be down: durable events are refused at once. The host keeps it.</summary>
    public bool StoreIsDown { get; set; }

    /// <summary>Makes events visible, and evicts what the ring no longer holds.</summary>
    private void Show(EventRun run, Instant now)
    {
        if (Shown is { } shown)
        {
            var durable = Settings.Durable;
            foreach (ref readonly var slot in run.Slots)
            {
                if (!slot.Critical && !ShowsOrdinary) continue;
                shown.Add(new ShownEvent(slot.Seq, slot.AppendedMs, slot.Critical, slot.Critical || durable,
                    ShowsTypes ? run.FrameOf(slot).Slice(slot.TypeStart, slot.TypeLength).ToArray() : null));
            }
        }
        Feed.Append(run);
        EvictRing(now);
        LastActivityMs = now.Ms;
    }

    private void EvictRing(Instant now) => Feed.Evict(Settings.Buffer, Settings.BufferBytes,
        Settings.MaxAge is { } age ? now.UnixMs - (long)age.TotalMilliseconds : long.MinValue);

    private void Load(EventRun ring, long? closedFloor, Instant now)
    {
        // After a crash the ring is what storage had: it is whole above the event before its first.
        var floor = closedFloor ?? (ring.Count == 0 ? LastGiven : ring.First - 1);
        Feed.Begin(floor, LastGiven);
        if (ring.Count > 0) Feed.Append(ring);
        Feed.Skip(LastGiven);
        EvictRing(now);
        LastActivityMs = now.Ms;
    }
}
