using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace OrleansEvents.Client;

/// <summary>
/// The events of one stream for a named subscriber, for <c>await foreach</c>. What it is owed is acknowledged when the
/// next event is asked for, which is after the loop's body is through: who leaves the loop by an exception or
/// <c>break</c> has not acknowledged the last one, and gets it again. Lost connections are made again as
/// <see cref="EventReader"/> does it, and an event whose acknowledgement is on its way is not passed on once more.
/// </summary>
/// <remarks>
/// Acknowledgements are gathered and sent beside the reading, and tried again until the server has stored them. The end
/// of the stream ends the loop when the last one is stored and nothing is owed any more; leaving it earlier, or
/// cancelling it, waits for <see cref="SubscribeOptions.FlushTimeout"/> at most. An event is passed on a second time
/// when the first time did not end in an acknowledgement: <see cref="StreamEvent.Attempt"/> tells them apart.
/// </remarks>
public sealed class SubscriberReader : IAsyncEnumerable<StreamEvent>, IAsyncDisposable
{
    private readonly EventReader _reader;
    private readonly AcknowledgementQueue _acknowledgements;
    private readonly Subscriber _subscriber;
    private readonly SubscribeOptions _options;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, bool> _held = new();
    private TaskCompletionSource _nothingHeld = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isOwedKnown;
    private volatile bool _owesAll;
    private StreamEvent? _current;

    internal SubscriberReader(
        EventReader reader, Subscriber subscriber, AcknowledgementQueue acknowledgements, SubscribeOptions options,
        TimeProvider time)
    {
        reader.IsOver = IsOverAsync;
        _reader = reader;
        _subscriber = subscriber;
        _acknowledgements = acknowledgements;
        _options = options;
        _time = time;
        _isOwedKnown = options.Owed is not null;
        _owesAll = options.Owed == OwedEvents.All;
    }

    /// <summary>Told on each step of the connection, on the turn of whoever enumerates.</summary>
    public event Action<ConnectionChange>? StateChanged
    {
        add => _reader.StateChanged += value;
        remove => _reader.StateChanged -= value;
    }

    /// <summary>Where the connection stands.</summary>
    public ConnectionState State => _reader.State;

    /// <summary>Up to where ordinary events were passed on, for <see cref="SubscribeOptions.After"/>.</summary>
    public string? Position => _reader.Position;

    /// <summary>How many acknowledgements are on their way: not known to be stored yet.</summary>
    public int Unacknowledged => _acknowledgements.Outstanding;

    /// <summary>
    /// Acknowledges an event; from any thread, also after the loop. It returns at once: <see cref="FlushAsync"/> waits
    /// until it is stored. For an event that is not owed it does nothing.
    /// </summary>
    public void Acknowledge(StreamEvent arrived)
    {
        ArgumentNullException.ThrowIfNull(arrived);
        if (!MayBeOwed(arrived))
            return;
        _acknowledgements.Acknowledge(arrived.Id);
        Release(arrived);
    }

    /// <summary>
    /// Rejects an event: it is delivered again, until its attempts are used up and it is parked as a dead letter.
    /// Inside the loop it takes the place of the acknowledgement.
    /// </summary>
    /// <param name="arrived">The event.</param>
    /// <param name="delay">When it is delivered again, a day at most; null leaves it to the policy's back-off.</param>
    /// <returns>False when it is acknowledged already, or not owed.</returns>
    public bool Reject(StreamEvent arrived, TimeSpan? delay = null)
    {
        ArgumentNullException.ThrowIfNull(arrived);
        if (delay is { } asked)
            Subscriber.CheckDelay(asked);
        if (!MayBeOwed(arrived) || !_acknowledgements.Reject(arrived.Id, delay))
            return false;
        Interlocked.CompareExchange(ref _current, null, arrived);
        Release(arrived);
        return true;
    }

    /// <summary>Sends what is acknowledged and rejected so far, and waits until it is stored.</summary>
    /// <exception cref="EventsException">The server refused it for good; what may pass is waited for.</exception>
    public Task FlushAsync(CancellationToken cancellationToken = default) =>
        _acknowledgements.FlushAsync(cancellationToken);

    /// <summary>
    /// The same as enumerating this, with what the server says in between: gaps, problems, heartbeats, the end.
    /// </summary>
    /// <exception cref="EventsException">
    /// The server refused the reading or the acknowledgements, and waiting cannot mend it.
    /// </exception>
    public async IAsyncEnumerable<StreamFrame> FramesAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        _acknowledgements.Resume();
        var frames = _reader.GetAsyncEnumerator(cancellationToken);
        try
        {
            while (await frames.MoveNextAsync().ConfigureAwait(false))
            {
                if (!_isOwedKnown && frames.Current is ConnectedFrame)
                    await AskForOwedAsync(cancellationToken).ConfigureAwait(false);
                if (frames.Current is EventFrame { Event: var arrived } && MayBeOwed(arrived))
                {
                    if (!await _acknowledgements.AdmitAsync(arrived.Id, cancellationToken).ConfigureAwait(false))
                        continue;
                    _current = arrived;
                    if (_options.Manual)
                        _held[arrived.Id] = true;
                }
                yield return frames.Current;
                // What lies ready is passed on without a pause: on a busy machine the batch would wait for all of it.
                if (!_options.Manual && Interlocked.Exchange(ref _current, null) is { } finished
                    && _acknowledgements.Acknowledge(finished.Id))
                    await Task.Yield();
            }
            await _acknowledgements.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (!_options.Manual && Interlocked.Exchange(ref _current, null) is { } unfinished
                && _options.UnfinishedDelay is { } delay)
                _acknowledgements.Reject(unfinished.Id, delay);
            // Before the connection is closed: what is in flight then is delivered again.
            await _acknowledgements.CloseAsync().ConfigureAwait(false);
            await frames.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Begins to read, or goes on. One enumeration at a time.</summary>
    public async IAsyncEnumerator<StreamEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        await foreach (var frame in FramesAsync(cancellationToken).ConfigureAwait(false))
        {
            if (frame is EventFrame { Event: var arrived })
                yield return arrived;
        }
    }

    /// <summary>Waits until what is acknowledged is stored, for the options' time at most.</summary>
    public async ValueTask DisposeAsync() => await _acknowledgements.CloseAsync().ConfigureAwait(false);

    /// <summary>
    /// A stream that has ended may still owe: what was rejected, and what waits for others to be acknowledged. That
    /// comes with another connection. By hand, the application gets the time to settle what it holds.
    /// </summary>
    private async ValueTask<bool> IsOverAsync(CancellationToken cancellationToken)
    {
        if (!await IsNothingHeldAsync(cancellationToken).ConfigureAwait(false))
            return true;
        await _acknowledgements.FlushAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return (await _subscriber.DescribeAsync(cancellationToken).ConfigureAwait(false)).Pending == 0;
        }
        catch (EventsException unknown)
        {
            return unknown.Code == "NOT_FOUND";
        }
    }

    private async Task<bool> IsNothingHeldAsync(CancellationToken cancellationToken)
    {
        _nothingHeld = new(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_held.IsEmpty)
            return true;
        var enough = Task.Delay(_options.FlushTimeout, _time, cancellationToken);
        await Task.WhenAny(_nothingHeld.Task, enough).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return _held.IsEmpty;
    }

    private void Release(StreamEvent settled)
    {
        if (_held.TryRemove(settled.Id, out _) && _held.IsEmpty)
            _nothingHeld.TrySetResult();
    }

    private async Task AskForOwedAsync(CancellationToken cancellationToken)
    {
        try
        {
            var described = await _subscriber.DescribeAsync(cancellationToken).ConfigureAwait(false);
            _owesAll = described.Policy.Owed == OwedEvents.All;
            if (described.Policy.MaxInFlight is { } most)
                _acknowledgements.FitTo(most);
            _isOwedKnown = true;
        }
        catch (EventsException)
        {
            // The next connection asks again. What is missed until then comes a second time, and is known by that.
        }
    }

    /// <summary>A second delivery tells that an event is owed, whatever the options say.</summary>
    private bool MayBeOwed(StreamEvent arrived) =>
        arrived.Critical || arrived.Attempt > 1 || _owesAll;
}
