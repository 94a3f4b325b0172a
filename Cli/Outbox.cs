using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>
/// Sends log entries in order, one batch at a time, for as long as it takes. While the server takes events, whoever
/// adds waits for room; while it is away nobody waits, and the oldest entries are dropped. An entry keeps its key over
/// all attempts, so that none is doubled. After a refusal for good (no permission, stream ended) nothing more is sent.
/// </summary>
internal sealed class Outbox : IDisposable
{
    private const int BatchEvents = 500;
    private const int BatchBytes = 1024 * 1024;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LastDelay = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly EventsClient _client;
    private readonly string _stream;
    private readonly EntryQueue _queue;
    private readonly Terminal _terminal;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _sending;
    private readonly TaskCompletionSource _closing = NewSignal();
    private TaskCompletionSource _changed = NewSignal();
    private IReadOnlyList<NewEvent> _inFlight = [];
    private EventsException? _lastFailure;
    private bool _isAway;
    private bool _isClosed;
    private bool _isRefused;

    public Outbox(EventsClient client, string stream, EntryQueue queue, Terminal terminal, OutboxEnds ends)
    {
        _client = client;
        _stream = stream;
        _queue = queue;
        _terminal = terminal;
        _sending = SendAllAsync(ends);
    }

    public async Task AddAsync(string type, string content)
    {
        while (true)
        {
            Task room;
            lock (_gate)
            {
                if (_isRefused)
                    return;
                if (_isAway || !_queue.IsFull)
                {
                    _queue.Add(type, content);
                    Pulse_UnderLock();
                    return;
                }
                room = _changed.Task;
            }
            await room;
        }
    }

    /// <summary>Sends what waits and ends the stream, within a time; says what could not be sent.</summary>
    public async Task FinishAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _isClosed = true;
            Pulse_UnderLock();
        }
        _closing.SetResult();
        using var limit = new CancellationTokenSource(wait, _terminal.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        await using (both.Token.Register(_stop.Cancel))
        {
            try
            {
                await _sending;
            }
            catch (OperationCanceledException)
            {
                var unsent = _queue.Count + _inFlight.Count;
                _terminal.Say((unsent > 0 ? $"entries not sent: {unsent}" : $"{_stream} was not completed")
                    + (_lastFailure is { } failure ? $": {failure.Message}" : ""));
            }
        }
        if (_queue.Dropped > 0)
            _terminal.Say($"entries dropped while the server was away: {_queue.Dropped}");
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    private async Task SendAllAsync(OutboxEnds ends)
    {
        try
        {
            if (ends.Replace)
                await UntilDoneAsync(() => _client.DeleteAsync(_stream, _stop.Token));
            while (await NextBatchAsync() is { } batch)
            {
                await DeliverAsync(batch);
                _inFlight = [];
            }
            if (ends.Complete)
                await UntilDoneAsync(() => _client.CompleteAsync(_stream, _stop.Token));
        }
        catch (EventsException refusal)
        {
            Refuse(refusal);
        }
    }

    private async Task<IReadOnlyList<NewEvent>?> NextBatchAsync()
    {
        while (true)
        {
            Task more;
            lock (_gate)
            {
                if (_queue.Count > 0)
                {
                    _inFlight = _queue.Take(BatchEvents, BatchBytes);
                    Pulse_UnderLock();
                    return _inFlight;
                }
                if (_isClosed)
                    return null;
                more = _changed.Task;
            }
            await more.WaitAsync(_stop.Token);
        }
    }

    /// <summary>A server may be set to smaller limits than ours: then the batch goes in halves.</summary>
    private async Task DeliverAsync(IReadOnlyList<NewEvent> batch)
    {
        try
        {
            await UntilDoneAsync(() => _client.PublishAsync(_stream, batch, _stop.Token));
        }
        catch (EventsException tooLarge) when (tooLarge.Code == "EVENT_TOO_LARGE" && batch.Count > 1)
        {
            var half = batch.Count / 2;
            await DeliverAsync([.. batch.Take(half)]);
            await DeliverAsync([.. batch.Skip(half)]);
        }
        catch (EventsException tooLarge) when (tooLarge.Code == "EVENT_TOO_LARGE")
        {
            _terminal.Say($"an entry of {batch[0].Data.Length} bytes was not sent: {tooLarge.Message}");
        }
    }

    private async Task UntilDoneAsync(Func<Task> attempt)
    {
        for (var delay = FirstDelay; ; delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay)
        {
            try
            {
                await attempt();
                SetAway(null);
                return;
            }
            catch (EventsException failure) when (failure.IsTransient || (int?)failure.Status >= 500)
            {
                SetAway(failure);
                await PauseAsync(failure.RetryAfter > delay ? failure.RetryAfter.Value : delay);
            }
        }
    }

    /// <summary>At the end the time is short: the next attempt comes at once, and the others each second.</summary>
    private async Task PauseAsync(TimeSpan delay)
    {
        if (_closing.Task.IsCompleted)
            await Task.Delay(delay < LastDelay ? delay : LastDelay, _terminal.Time, _stop.Token);
        else
            await Task.WhenAny(Task.Delay(delay, _terminal.Time, _stop.Token), _closing.Task);
        _stop.Token.ThrowIfCancellationRequested();
    }

    private void SetAway(EventsException? failure)
    {
        bool changed;
        lock (_gate)
        {
            changed = _isAway != failure is not null;
            _isAway = failure is not null;
            _lastFailure = failure;
            Pulse_UnderLock();
        }
        if (changed)
            _terminal.Say(failure is null ? "the server takes events again" : $"output is queued: {failure.Message}");
    }

    private void Refuse(EventsException refusal)
    {
        lock (_gate)
        {
            _isRefused = true;
            Pulse_UnderLock();
        }
        _terminal.Say($"nothing more is recorded: {refusal.Message}"
            + (refusal.Code == "STREAM_COMPLETED" ? " (--replace begins the stream anew)" : ""));
    }

    private void Pulse_UnderLock()
    {
        var waiters = _changed;
        _changed = NewSignal();
        waiters.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>What is done with the stream before the first entry and after the last.</summary>
internal sealed record OutboxEnds(bool Replace, bool Complete);
