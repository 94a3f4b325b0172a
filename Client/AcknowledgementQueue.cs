namespace OrleansEvents.Client;

/// <summary>
/// Acknowledgements and rejections on their way to the server: gathered, sent beside the reading, one request at a
/// time, and tried again until they are stored. An id may be sent twice; the server counts it once.
/// </summary>
/// <remarks>
/// An acknowledged id is queued, then in flight with its batch, then stored; a batch that is given up is queued again.
/// It stays known while the newest are remembered, because the server may have sent the event once more before it had
/// the acknowledgement. Rejections go first: an event that was rejected, came again and was acknowledged then ends as
/// acknowledged. There is a task only while there is something to send. Any method, any thread.
/// </remarks>
internal sealed class AcknowledgementQueue(
    Subscriber subscriber, SubscribeOptions options, EventsClientOptions patience, TimeProvider time)
{
    // Half of what the server takes.
    private const int MostIds = 5_000;

    private readonly Lock _gate = new();
    private readonly HashSet<string> _acknowledged = [];
    private readonly Queue<string> _stored = new();
    private readonly Dictionary<string, TimeSpan?> _rejected = [];
    private List<string> _queued = [];
    private Batch? _inFlight;
    private long _batchesTaken;
    private long _batchesDone;
    private EventsException? _refusal;
    private TaskCompletionSource _enough = NewSignal();
    private TaskCompletionSource _retryNow = NewSignal();
    private TaskCompletionSource _progress = NewSignal();
    private Func<Task> _stop = static () => Task.CompletedTask;
    private Task _sending = Task.CompletedTask;
    private bool _isSending;

    /// <summary>How many are not stored yet.</summary>
    public int Outstanding
    {
        get
        {
            lock (_gate)
                return Outstanding_UnderLock;
        }
    }

    private int Outstanding_UnderLock => _queued.Count + (_inFlight?.Acknowledged.Count ?? 0);

    private bool IsEmpty_UnderLock => _queued.Count == 0 && _rejected.Count == 0;

    public void Acknowledge(string id)
    {
        lock (_gate)
        {
            if (!_acknowledged.Add(id))
                return;
            _rejected.Remove(id);
            _queued.Add(id);
            Send_UnderLock();
        }
    }

    /// <summary>False when the event is acknowledged already.</summary>
    public bool Reject(string id, TimeSpan? delay)
    {
        lock (_gate)
        {
            if (_acknowledged.Contains(id))
                return false;
            _rejected[id] = delay;
            Send_UnderLock();
            return true;
        }
    }

    public bool IsAcknowledged(string id)
    {
        lock (_gate)
            return _acknowledged.Contains(id);
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

    /// <summary>Waits while as many are on their way as may be; throws what the server refused for good.</summary>
    public async ValueTask RoomAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task progress;
            lock (_gate)
            {
                if (_refusal is not null)
                    throw _refusal;
                if (Outstanding_UnderLock < options.MostUnacknowledged)
                    return;
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
            target = _batchesTaken;
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
                if (_batchesDone >= target)
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
        Task stopped;
        lock (_gate)
            stopped = _isSending ? Task.WhenAll(_stop(), _sending) : Task.CompletedTask;
        await stopped.ConfigureAwait(false);
    }

    private void Send_UnderLock()
    {
        if (_queued.Count + _rejected.Count >= options.BatchSize)
            _enough.TrySetResult();
        if (_isSending || _refusal is not null)
            return;
        _isSending = true;
        var stop = new CancellationTokenSource();
        _stop = stop.CancelAsync;
        _sending = SendAllAsync(stop.Token);
    }

    private async Task SendAllAsync(CancellationToken stop)
    {
        // Whoever acknowledges holds the lock, and goes on at once.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            while (await NextAsync(stop).ConfigureAwait(false) is { } batch)
            {
                await DeliverAsync(batch, stop).ConfigureAwait(false);
                Done(batch);
            }
        }
        catch (EventsException refusal)
        {
            GiveUp(refusal);
        }
        catch (OperationCanceledException)
        {
            GiveUp(null);
        }
        catch (ObjectDisposedException)
        {
            GiveUp(new EventsException(EventsException.NetworkError, "the client was disposed"));
        }
    }

    /// <summary>The next batch, when it is full, or its time has come, or somebody waits for it.</summary>
    private async Task<Batch?> NextAsync(CancellationToken stop)
    {
        Task enough;
        lock (_gate)
        {
            if (IsEmpty_UnderLock)
            {
                _isSending = false;
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
            _batchesTaken++;
            _inFlight = new Batch(_queued, [.. _rejected]);
            _queued = [];
            _rejected.Clear();
            return _inFlight;
        }
    }

    private async Task DeliverAsync(Batch batch, CancellationToken stop)
    {
        foreach (var alike in batch.Rejected.GroupBy(each => each.Value, each => each.Key))
        {
            foreach (var ids in alike.Chunk(MostIds))
                await UntilStoredAsync(() => subscriber.RejectAsync(ids, alike.Key, stop), stop).ConfigureAwait(false);
        }
        foreach (var ids in batch.Acknowledged.Chunk(MostIds))
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
            foreach (var id in batch.Acknowledged)
                _stored.Enqueue(id);
            while (_stored.Count > patience.RememberedEvents)
                _acknowledged.Remove(_stored.Dequeue());
            _inFlight = null;
            _batchesDone++;
            Pulse_UnderLock();
        }
    }

    private void GiveUp(EventsException? refusal)
    {
        lock (_gate)
        {
            if (_inFlight is { } batch)
            {
                _batchesTaken--;
                _queued.InsertRange(0, batch.Acknowledged);
                foreach (var (id, delay) in batch.Rejected)
                {
                    if (!_acknowledged.Contains(id))
                        _rejected.TryAdd(id, delay);
                }
            }
            _inFlight = null;
            _refusal = refusal;
            _isSending = false;
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

    private sealed record Batch(List<string> Acknowledged, List<KeyValuePair<string, TimeSpan?>> Rejected);
}
