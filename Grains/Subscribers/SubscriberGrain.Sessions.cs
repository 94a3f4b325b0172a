using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

internal sealed partial class SubscriberGrain
{
    private static readonly SessionAnswer s_unknown = new(null, [], IsDone: false);

    private readonly Dictionary<long, SessionEntry> _sessions = [];

    public async Task<Outcome<AttachedSession?>> Attach(AttachRequest request)
    {
        var kind = (SessionKind)request.Kind;
        var refusal = await Load();
        if (refusal is { Code: Streams.ErrorCode.NotFound } && kind != SessionKind.Push)
        {
            if (_isTombstone || request.IsAgain) return Outcome.Of<AttachedSession?>(null);
            refusal = await Register(context.Options.Defaults, isExplicit: false);
        }
        if (refusal is { } refused) return refused;
        if (!await CatchUpTo(Math.Max(request.Through ?? 0, request.Head)) || _state is not { } state) return Untaken;
        if (!_sessions.TryGetValue(request.Session, out var session))
        {
            if (Begin(state, request, kind, out session) is { } why) return why;
            if (request.Through is { } begun) state.Begin(session!.Slot, begun);
        }
        Hear(session!);
        Turned();
        return new AttachedSession(state.Policy, context.Options.SessionLease, _handle.Epoch,
            StatusOf(state, session!), state.Failing);
    }

    public Task<SessionAnswer> Act(SessionBatch batch)
    {
        if (SessionOf(batch.Session, batch.Epoch) is not { } session) return Task.FromResult(s_unknown);
        Hear(session);
        if (batch.Taken >= session.LastPage.Number) session.LastPage = (session.LastPage.Number, NoPage);
        if (batch.Number > session.Last.Number) session.Last = (batch.Number, Act(session, batch));
        return session.Last.Answer;
    }

    public Task<Outcome<TakenPage?>> Take(long session, long epoch, long number, int limit, int maxBytes)
    {
        if (SessionOf(session, epoch) is not { } entry) return NoPage;
        Hear(entry);
        if (number > entry.LastPage.Number) entry.LastPage = (number, Take(entry, limit, maxBytes));
        return entry.LastPage.Page;
    }

    /// <summary>Not what a late request has begun here that belongs to an opening before.</summary>
    private SessionEntry? SessionOf(long id, long epoch) =>
        epoch == _handle.Epoch ? _sessions.GetValueOrDefault(id) : null;

    private static Task<Outcome<TakenPage?>> NoPage { get; } =
        Task.FromResult(Outcome.Of<TakenPage?>(null));

    private Refusal? Begin(Subscription state, AttachRequest request, SessionKind kind, out SessionEntry? session)
    {
        session = null;
        if (kind == SessionKind.Push && !state.IsPushed)
            return new Refusal(Streams.ErrorCode.InvalidInput, $"{_name} has no webhook that takes events.");
        if (kind != SessionKind.Push && state.Policy.Webhook is not null)
            return new Refusal(Streams.ErrorCode.InvalidInput, $"{_name} has a webhook: it does not read.");
        var slot = state.Attach(isPush: kind == SessionKind.Push, isPoll: kind == SessionKind.Poll);
        if (slot < 0)
            return new Refusal(Streams.ErrorCode.RateLimited,
                $"{_name} has {Subscription.MostConnections} connections, its most.");
        session = new SessionEntry(request.Session, slot, kind, request.Listener);
        _sessions.Add(session.Id, session);
        return null;
    }

    private async Task<SessionAnswer> Act(SessionEntry session, SessionBatch batch)
    {
        // Numbers that this grain was not told of yet: it must know of them before it decides.
        var most = batch.Acts.Max(act => (long?)Math.Max(act.Through, act.Seqs.Length > 0 ? act.Seqs[^1] : 0)) ?? 0;
        if (most > _position) await CatchUp();
        if (!_sessions.ContainsKey(session.Id) || _state is not { } state) return s_unknown;
        if (most > _position) return new SessionAnswer(StatusOf(state, session), [], IsDone: false);
        var carries = new List<byte>();
        foreach (var act in batch.Acts) Act(state, session, act, carries);
        Turned();
        return _state == state ? new SessionAnswer(StatusOf(state, session), [.. carries], IsDone: true) : s_unknown;
    }

    private void Act(Subscription state, SessionEntry session, SessionAct act, List<byte> carries)
    {
        switch (act.Kind)
        {
            case ActKind.Begin:
                state.Begin(session.Slot, act.Through);
                break;
            case ActKind.Jump:
                state.Jump(session.Slot, act.After, act.Through);
                break;
            case ActKind.Line:
                for (var i = 0; i < act.Seqs.Length; i++)
                {
                    var isCritical = (act.Kinds[i] & 1) != 0;
                    carries.Add((byte)state.OnLine(session.Slot, act.Seqs[i], isCritical,
                        isCritical || act.Seqs[i] > _durableSince));
                }
                break;
            case ActKind.GiveBack:
                foreach (var seq in act.Seqs) state.GiveBack(session.Slot, seq);
                session.MayTake = true;
                break;
            case ActKind.GoingOut:
                state.GoingOut(session.Slot, act.Seqs);
                break;
            case ActKind.Delivered:
                state.Delivered(session.Slot, act.Seqs, Now);
                break;
            case ActKind.ExpiredTold:
                state.ExpiryTold();
                break;
            case ActKind.Detach:
                End(state, session);
                break;
        }
    }

    private async Task<Outcome<TakenPage?>> Take(SessionEntry session, int limit, int maxBytes)
    {
        session.MayTake = false;
        while (_state is { } state && _sessions.ContainsKey(session.Id))
        {
            List<OwedEvent> taken = session.IsOver ? [] : state.Take(session.Slot, limit);
            Turned();
            if (taken.Count == 0) return new TakenPage(PackedRun.Empty, []);
            var earlier = new Dictionary<long, int>();
            EventRun read;
            try
            {
                read = await ReadEvents(state, [.. taken.Select(each => each.Seq)], maxBytes, earlier);
            }
            catch (LogUnavailableException e)
            {
                if (_state == state && _sessions.ContainsKey(session.Id))
                    foreach (var each in taken) state.GiveBack(session.Slot, each.Seq);
                session.MayTake = true;
                Turned();
                return new Refusal(Streams.ErrorCode.StoreUnavailable, e.Message, TimeSpan.FromSeconds(1));
            }
            using (read)
            {
                if (_state != state || !_sessions.ContainsKey(session.Id)) break;
                if (StillGiven(state, session, taken, read, earlier) is { } page) return page;
            }
        }
        return Outcome.Of<TakenPage?>(null);
    }

    /// <summary>Of what was taken and read what nobody has acknowledged meanwhile; null when that is nothing. The rest
    /// is given back.</summary>
    private TakenPage? StillGiven(Subscription state, SessionEntry session, List<OwedEvent> taken, EventRun read,
        Dictionary<long, int> earlier)
    {
        using var run = new EventRun();
        var (attempts, next) = (new List<int>(), 0);
        foreach (ref readonly var slot in read.Slots)
        {
            while (taken[next].Seq != slot.Seq) next++;
            var attempt = taken[next++].Attempt + earlier.GetValueOrDefault(slot.Seq);
            if (!state.IsGiven(session.Slot, slot.Seq)) continue;
            run.Append(slot, read.FrameOf(slot));
            attempts.Add(attempt);
        }
        for (; next < taken.Count; next++) state.GiveBack(session.Slot, taken[next].Seq);
        session.MayTake = true;
        Turned();
        return run.Count > 0 ? new TakenPage(PackedRun.Of(run), [.. attempts]) : null;
    }

    private SessionStatus StatusOf(Subscription state, SessionEntry session) => new(++session.Version,
        state.PendingCount, !session.IsOver && IsHere(session) && state.HasMore(session.Slot), session.MayTake,
        session.IsOver, state.Policy.OwesAll,
        state is { IsExpiryTold: false, Expired: { } range }
            ? new Gap(At(range.First - 1).ToString(), At(range.Last), range.Count, GapReason.Expired) : null);

    private bool IsHere(SessionEntry session) => _sessions.GetValueOrDefault(session.Id) == session;

    private void Hear(SessionEntry session)
    {
        _lastUsedMs = Now.Ms;
        session.LeaseEndsMs = Now.Ms + (long)context.Options.SessionLease.TotalMilliseconds;
        session.IsWoken = false;
    }

    private void Wake(SessionEntry session, bool mayTake)
    {
        session.MayTake |= mayTake;
        // Once until its node is heard of: by then it has asked.
        if (session.IsWoken || _state is not { } state) return;
        session.IsWoken = true;
        _ = session.Listener.Woken(session.Id, StatusOf(state, session));
    }

    /// <summary>All that read are to come back.</summary>
    private void EndSessions()
    {
        foreach (var session in _sessions.Values.ToList())
        {
            session.IsOver = true;
            session.IsWoken = false;
            Wake(session, mayTake: false);
        }
    }

    private void End(Subscription state, SessionEntry session)
    {
        if (!_sessions.Remove(session.Id)) return;
        var now = Now;
        state.Detach(session.Slot, keeps: session.Kind == SessionKind.Poll, now);
        state.LastSeenMs = now.UnixMs;
        if (_sessions.Count == 0) _saveAtMs = Math.Min(_saveAtMs, now.Ms);
    }

    private void ExpireSessions(Instant now)
    {
        foreach (var session in _sessions.Values.Where(each => each.LeaseEndsMs <= now.Ms).ToList())
            End(_state!, session);
    }

    private long NextSessionEndMs
    {
        get
        {
            var first = long.MaxValue;
            foreach (var session in _sessions.Values) first = Math.Min(first, session.LeaseEndsMs);
            return first;
        }
    }
}
