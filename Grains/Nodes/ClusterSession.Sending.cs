using System.Security.Cryptography;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

internal sealed partial class ClusterSession
{
    private const long PendingRefreshMs = 2000;

    private readonly TimeSpan _lease;
    private readonly SemaphoreSlim _attaching = new(1, 1);
    private List<SessionAct> _acts = [];
    private TaskCompletionSource _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isSending;
    private bool _isMoreAsked;
    private bool _isWordWanted;
    private long _number;
    private long _takeNumber;
    private long _taken;
    private long _epoch;
    private bool _isLost;
    private long _heardMs;

    /// <summary>Asks how the session stands, when nothing was heard for a while: a word that was lost is missed no
    /// longer than that, and the grain keeps the session.</summary>
    public void Refresh()
    {
        lock (_gate)
        {
            var afterMs = _status.Pending > 0 ? Math.Min(PendingRefreshMs, LeasePartMs) : LeasePartMs;
            if (_isSending || _disposed || IsOver || _all.Now.Ms - _heardMs < afterMs) return;
            Send_UnderLock();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<OwedPage> Take(int limit, int maxBytes)
    {
        // What the line has come to before counts for what goes beside it.
        await Flush();
        var giveUpMs = _all.Now.Ms + (long)_all.Options.RetryFor.TotalMilliseconds;
        while (!IsOver)
        {
            long id, epoch, number;
            lock (_gate) (id, epoch, number) = (Id, _epoch, _takeNumber + 1);
            var answer = await Call(() => _grain.Take(id, epoch, number, limit, maxBytes));
            if (answer is { Refusal: null, Value: { } page })
            {
                lock (_gate)
                    if (id == Id) (_takeNumber, _taken) = (number, number);
                return new OwedPage(page.Events.Above(long.MinValue), page.Attempts);
            }
            if (answer is { Refusal: { } refused })
            {
                lock (_gate)
                    if (id == Id) _takeNumber = number;
                throw new LogUnavailableException(refused.Detail);
            }
            if (answer is not null) await Attach(id);
            else if (_all.Now.Ms > giveUpMs) throw new LogUnavailableException("The subscriber does not answer.");
            else await Task.Delay(_all.Options.RetryEvery, _all.Time);
        }
        return new OwedPage(new EventRun(), []);
    }

    private long LeasePartMs => (long)(_lease / 3).TotalMilliseconds;

    private void Add_UnderLock(ActKind kind, long after = 0, long through = 0, long[]? seqs = null,
        byte[]? kinds = null)
    {
        _acts.Add(new SessionAct(kind, after, through, seqs ?? [], kinds ?? []));
        Send_UnderLock();
    }

    private void Send_UnderLock()
    {
        if (_isSending) return;
        _isSending = true;
        _ = Send();
    }

    private async Task Send()
    {
        // What else is done at this moment goes with it.
        await Task.Yield();
        while (true)
        {
            SessionBatch batch;
            lock (_gate)
            {
                batch = new SessionBatch(Id, _epoch, ++_number, _taken, [.. _acts]);
                (_acts, _isWordWanted) = ([], false);
            }
            if (!await Deliver(batch)) break;
            lock (_gate)
            {
                if (_acts.Count > 0 || _isWordWanted) continue;
                _isSending = false;
                _sent.TrySetResult();
                _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);
                if (_disposed) break;
            }
            if (HasNoMore) Woken?.Invoke();
            return;
        }
        Leave();
    }

    /// <summary>Nothing more is to be sent: the session has ended, or its subscriber is gone.</summary>
    private void Leave()
    {
        _all.Remove(this);
        lock (_gate)
        {
            _isOver = true;
            _sent.TrySetResult();
            foreach (var waiting in _waiting) waiting.TrySetResult();
            _waiting.Clear();
        }
        Woken?.Invoke();
    }

    /// <summary>Repeats the batch until it is answered; false when the session is over.</summary>
    private async Task<bool> Deliver(SessionBatch batch)
    {
        var giveUpMs = long.MaxValue;
        while (true)
        {
            var sending = batch;
            if (await Call(() => _grain.Act(sending)) is not { } answer)
            {
                // The grain ends what it does not hear of by itself.
                if (_disposed) giveUpMs = Math.Min(giveUpMs, _all.Now.Ms + (long)_lease.TotalMilliseconds);
                if (_all.Now.Ms > giveUpMs) return false;
                await Task.Delay(_all.Options.RetryEvery, _all.Time);
                continue;
            }
            if (answer.Status is null || !Know(batch, answer))
            {
                if (_disposed || !await Attach(batch.Session)) return false;
                lock (_gate) batch = Again_UnderLock(batch);
                continue;
            }
            Hear(batch.Session, answer.Status);
            if (answer.IsDone) return true;
            await Task.Delay(_all.Options.RetryEvery, _all.Time);
            lock (_gate) batch = batch with { Number = ++_number };
        }
    }

    /// <summary>False: the session is being begun again, from a line that knew nothing of this answer.</summary>
    private bool Know(SessionBatch batch, SessionAnswer answer)
    {
        lock (_gate)
        {
            if (batch.Session != Id || _isLost) return false;
            _heardMs = _all.Now.Ms;
            if (!answer.IsDone) return true;
            var at = 0;
            foreach (var line in batch.Acts)
            {
                if (line.Kind != ActKind.Line) continue;
                Know_UnderLock(line, answer.Carries.AsSpan(at, line.Seqs.Length));
                at += line.Seqs.Length;
            }
            return true;
        }
    }

    /// <summary>What is left of a batch where the session was begun again: what had been given to it is given
    /// again, but the line may have moved since it was said where it is.</summary>
    private SessionBatch Again_UnderLock(SessionBatch batch) => new(Id, _epoch, ++_number, 0,
        [.. batch.Acts.Where(act => act.Kind is ActKind.Line or ActKind.ExpiredTold or ActKind.Begin or ActKind.Jump)
            .Select(act => act.Kind == ActKind.Begin ? act with { Kind = ActKind.Jump } : act)]);

    /// <summary>Begins the session again, unless somebody has since; false when it is over.</summary>
    private async Task<bool> Attach(long unknown)
    {
        await _attaching.WaitAsync();
        try
        {
            while (Id == unknown && !_disposed && !IsOver)
            {
                var id = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8));
                long? through;
                lock (_gate) through = Forget_UnderLock();
                var answer = await Call(() => _all.Attach(this, id, through));
                if (answer is { Refusal: null, Value: { } attached })
                {
                    Begun(id, attached);
                    return true;
                }
                if (answer is not null && answer.Value.Refusal is not { Code: Streams.ErrorCode.StoreUnavailable })
                {
                    // It was removed, or has changed so that it does not read.
                    _isOver = true;
                    Woken?.Invoke();
                    return false;
                }
                await Task.Delay(_all.Options.RetryEvery, _all.Time);
            }
            return !_disposed && !IsOver;
        }
        finally
        {
            _attaching.Release();
        }
    }

    /// <summary>What the line was given and has not come to comes beside it; returns how far it has come with
    /// that.</summary>
    private long? Forget_UnderLock()
    {
        _isLost = true;
        _acts.RemoveAll(act => act.Kind is not (ActKind.Line or ActKind.ExpiredTold or ActKind.Detach));
        foreach (var (seq, carry) in _known.ToList())
        {
            if (carry == LineCarry.Owed) _known[seq] = LineCarry.Skip;
            _through = Math.Max(_through ?? 0, seq);
        }
        return _through;
    }

    private void Begun(long id, AttachedSession attached)
    {
        lock (_gate)
        {
            (Id, _epoch, _status, _isLost) = (id, attached.Epoch, attached.Status, false);
            (_number, _takeNumber, _taken) = (0, 0, 0);
            _heardMs = _all.Now.Ms;
        }
        Woken?.Invoke();
    }

    /// <summary>Null when the grain does not answer: it is moving, or its silo dying.</summary>
    private static async Task<T?> Call<T>(Func<Task<T>> call) where T : class
    {
        try
        {
            return await call();
        }
#pragma warning disable CA1031 // Whatever it fails of, it is tried again.
        catch (Exception)
#pragma warning restore CA1031
        {
            return null;
        }
    }

    private static async Task<Outcome<T>?> Call<T>(Func<Task<Outcome<T>>> call)
    {
        try
        {
            return await call();
        }
#pragma warning disable CA1031 // Whatever it fails of, it is tried again.
        catch (Exception)
#pragma warning restore CA1031
        {
            return null;
        }
    }
}
