namespace OrleansEvents.Client;

/// <summary>
/// Acknowledgements and rejections on their way to the server: gathered, sent beside the reading, and tried again until
/// they are stored. While one batch is being stored a second may follow it, so that neither the server nor who reads
/// waits for the other's answer. An id may be sent twice; the server counts it once.
/// </summary>
/// <remarks>
/// An acknowledged id is queued, then in flight with its batch, then stored; a batch that is given up is queued again.
/// It stays known while the newest are remembered, because the server may have sent the event once more before it had
/// the acknowledgement. Rejections go first: an event that was rejected, came again and was acknowledged then ends as
/// acknowledged. Batches are numbered; one that is given up is part of the next, which covers the numbers of both.
/// There is a task only while there is something to send. Any method, any thread.
/// </remarks>
internal sealed class AcknowledgementQueue(
    Subscriber subscriber, SubscribeOptions options, EventsClientOptions patience, TimeProvider time)
{
    // Half of what the server takes.
    private const int MostIds = 5_000;

    // One that is being stored, and one that waits for that.
    private const int MostBatches = 2;

    // What a server has unless it is told otherwise.
    private const int UsualInFlight = 1_000;

    private readonly Lock _gate = new();
    private readonly EventIds _acknowledged = new();
    private readonly Queue<EventIdList> _stored = new();
    private int _storedCount;
    private readonly Dictionary<string, TimeSpan?> _rejected = [];
    private EventIdList _queued = new();
    private readonly List<Batch> _inFlight = [];
    private int _batchSize = BatchSize(options, UsualInFlight);
    private long _gathering = 1;
    private long _queuedSince = 1;
    private EventsException? _refusal;
    private TaskCompletionSource _enough = NewSignal();
    private TaskCompletionSource _retryNow = NewSignal();
    private TaskCompletionSource _progress = NewSignal();
    private Func<Task> _stop = static () => Task.CompletedTask;
    private CancellationToken _stopping;
    private int _senders;

    /// <summary>How many are not stored yet.</summary>
    public int Outstanding
    {
        get
        {
            lock (_gate)
                return Outstanding_UnderLock;
        }
    }

    private int Outstanding_UnderLock
    {
        get
        {
            var outstanding = _queued.Count;
            foreach (var batch in _inFlight)
                outstanding += batch.Acknowledged.Count;
            return outstanding;
        }
    }

    private bool IsEmpty_UnderLock => _queued.Count == 0 && _rejected.Count == 0;

    private bool IsFull_UnderLock => _queued.Count + _rejected.Count >= _batchSize;

    /// <summary>Everything in batches below this number is stored.</summary>
    private long Oldest_UnderLock
    {
        get
        {
            var oldest = IsEmpty_UnderLock ? _gathering : _queuedSince;
            foreach (var batch in _inFlight)
                oldest = Math.Min(oldest, batch.First);
            return oldest;
        }
    }

    /// <summary>The server sends no more while so many events are under way: batches are small enough that one can be
    /// stored while the next fills.</summary>
    public void FitTo(int maxInFlight)
    {
        lock (_gate)
            _batchSize = BatchSize(options, maxInFlight);
    }

    private static int BatchSize(SubscribeOptions options, int maxInFlight) =>
        Math.Clamp(maxInFlight / MostBatches, 1, options.BatchSize);

    /// <summary>True when that has filled a batch: whoever goes on reading lets it be sent first.</summary>
    public bool Acknowledge(string text)
    {
        var id = new EventId(text);
        lock (_gate)
        {
            if (!_acknowledged.Add(id))
                return false;
            _rejected.Remove(text);
            _queued.Add(id);
            Send_UnderLock();
            return _queued.Count % _batchSize == 0;
        }
    }

    /// <summary>False when the event is acknowledged already.</summary>
    public bool Reject(string id, TimeSpan? delay)
    {
        lock (_gate)
        {
            if (_acknowledged.Contains(new EventId(id)))
                return false;
            _rejected[id] = delay;
            Send_UnderLock();
            return true;
        }
    }

    /// <summary>Forgets a refusal, and goes on with what was left.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            _refusal = null;
            if (!IsEmpty_UnderLock)
                Send_UnderLock();
        }
    }

    /// <summary>False for an event that is acknowledged; for another it waits while as many are on their way as may be,
    /// and throws what the server refused for good.</summary>
    public ValueTask<bool> AdmitAsync(string text, CancellationToken cancellationToken)
    {
        var id = new EventId(text);
        lock (_gate)
        {
            if (_acknowledged.Contains(id))
                return new(false);
            if (_refusal is null && Outstanding_UnderLock < options.MostUnacknowledged)
                return new(true);
        }
        return RoomAsync(cancellationToken);
    }

    private async ValueTask<bool> RoomAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task progress;
            lock (_gate)
            {
                if (_refusal is not null)
                    throw _refusal;
                if (Outstanding_UnderLock < options.MostUnacknowledged)
                    return true;
                _enough.TrySetResult();
                progress = _progress.Task;
            }
            await progress.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Sends what there is and waits until it is stored; throws what the server refused for good.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        long target;
        lock (_gate)
        {
            target = _gathering - 1;
            if (!IsEmpty_UnderLock)
            {
                target++;
                Send_UnderLock();
                _enough.TrySetResult();
            }
            _retryNow.TrySetResult();
        }
        while (true)
        {
            Task progress;
            lock (_gate)
            {
                if (Oldest_UnderLock > target)
                    return;
                if (_refusal is not null)
                    throw _refusal;
                progress = _progress.Task;
            }
            await progress.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Flushes for as long as the options allow; then stops sending, and keeps what is left.</summary>
    public async Task CloseAsync()
    {
        try
        {
            using var limit = new CancellationTokenSource(options.FlushTimeout, time);
            await FlushAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception left) when (left is OperationCanceledException or EventsException)
        {
            // What is not acknowledged is delivered again: that is all that comes of it.
        }
        await StopAsync().ConfigureAwait(false);
    }

    private async Task StopAsync()
    {
        Task stopped;
        lock (_gate)
            stopped = _stop();
        await stopped.ConfigureAwait(false);
        while (true)
        {
            Task progress;
            lock (_gate)
            {
                if (_senders == 0)
                    return;
                progress = _progress.Task;
            }
            await progress.ConfigureAwait(false);
        }
    }

    /// <summary>Sees to it that somebody sends: one, and another once a full batch waits behind what the first
    /// delivers.</summary>
    private void Send_UnderLock()
    {
        if (IsFull_UnderLock)
            _enough.TrySetResult();
        var isGathering = _senders > _inFlight.Count;
        if (_refusal is not null || isGathering || _senders > 0 && !(IsFull_UnderLock && _senders < MostBatches))
            return;
        if (_senders++ == 0)
        {
            var stop = new CancellationTokenSource();
            (_stop, _stopping) = (stop.CancelAsync, stop.Token);
        }
        _ = SendAllAsync(_stopping);
    }

    private async Task SendAllAsync(CancellationToken stop)
    {
        // Whoever acknowledges holds the lock, and goes on at once.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        Batch? batch = null;
        try
        {
            while ((batch = await NextAsync(stop).ConfigureAwait(false)) is not null)
            {
                await DeliverAsync(batch, stop).ConfigureAwait(false);
                Done(batch);
            }
        }
        catch (EventsException refusal)
        {
            GiveUp(batch, refusal);
        }
        catch (OperationCanceledException)
        {
            GiveUp(batch, null);
        }
        catch (ObjectDisposedException)
        {
            GiveUp(batch, new EventsException(EventsException.NetworkError, "the client was disposed"));
        }
    }

    /// <summary>The next batch, when it is full, or its time has come, or somebody waits for it. Null: there is none,
    /// or another gathers it.</summary>
    private async Task<Batch?> NextAsync(CancellationToken stop)
    {
        Task enough;
        lock (_gate)
        {
            if (IsEmpty_UnderLock || _refusal is not null || _senders > _inFlight.Count + 1)
            {
                _senders--;
                Pulse_UnderLock();
                return null;
            }
            enough = _enough.Task;
        }
        if (!enough.IsCompleted)
            await Task.WhenAny(enough, Task.Delay(options.BatchDelay, time, stop)).ConfigureAwait(false);
        stop.ThrowIfCancellationRequested();
        lock (_gate)
        {
            _enough = NewSignal();
            var batch = new Batch(_queuedSince, _queued, [.. _rejected]);
            _inFlight.Add(batch);
            _queuedSince = ++_gathering;
            _queued = new();
            _rejected.Clear();
            return batch;
        }
    }

    private async Task DeliverAsync(Batch batch, CancellationToken stop)
    {
        foreach (var alike in batch.Rejected.GroupBy(each => each.Value, each => each.Key))
        {
            foreach (var ids in alike.Chunk(MostIds))
                await UntilStoredAsync(() => subscriber.RejectAsync(ids, alike.Key, stop), stop).ConfigureAwait(false);
        }
        foreach (var ids in batch.Acknowledged.Parts(MostIds))
            await UntilStoredAsync(() => subscriber.StoreAsync(ids, stop), stop).ConfigureAwait(false);
    }

    private async Task UntilStoredAsync(Func<Task> attempt, CancellationToken stop)
    {
        for (var retry = 1; ; retry++)
        {
            try
            {
                await attempt().ConfigureAwait(false);
                return;
            }
            catch (EventsException gone) when (gone.Code == "NOT_FOUND")
            {
                // The stream or the subscriber was removed, and with it what was owed.
                return;
            }
            catch (EventsException failure) when (failure.MayMend)
            {
                var delay = Backoff.Delay(
                    retry, patience.FirstDelay, patience.LongestDelay, failure.RetryAfter, patience.Chance);
                await PauseAsync(delay, stop).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Whoever flushes has little time: the next attempt comes at once.</summary>
    private async Task PauseAsync(TimeSpan delay, CancellationToken stop)
    {
        Task now;
        lock (_gate)
        {
            _retryNow = NewSignal();
            now = _retryNow.Task;
        }
        await Task.WhenAny(now, Task.Delay(delay, time, stop)).ConfigureAwait(false);
        stop.ThrowIfCancellationRequested();
    }

    private void Done(Batch batch)
    {
        lock (_gate)
        {
            _stored.Enqueue(batch.Acknowledged);
            _storedCount += batch.Acknowledged.Count;
            while (_storedCount - _stored.Peek().Count >= patience.RememberedEvents)
            {
                _storedCount -= _stored.Peek().Count;
                foreach (var id in _stored.Dequeue())
                    _acknowledged.Remove(id);
            }
            _inFlight.Remove(batch);
            Pulse_UnderLock();
        }
    }

    private void GiveUp(Batch? batch, EventsException? refusal)
    {
        lock (_gate)
        {
            if (batch is not null && _inFlight.Remove(batch))
            {
                _queuedSince = Math.Min(_queuedSince, batch.First);
                _queued = [.. batch.Acknowledged, .. _queued];
                foreach (var (id, delay) in batch.Rejected)
                {
                    if (!_acknowledged.Contains(new EventId(id)))
                        _rejected.TryAdd(id, delay);
                }
            }
            _refusal ??= refusal;
            _senders--;
            Pulse_UnderLock();
        }
    }

    private void Pulse_UnderLock()
    {
        var waiters = _progress;
        _progress = NewSignal();
        waiters.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record Batch(
        long First, EventIdList Acknowledged, List<KeyValuePair<string, TimeSpan?>> Rejected);
}
