using System.Collections.Concurrent;
using System.Threading.Channels;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Webhooks;

/// <summary>
/// Pushes one subscriber's events to its endpoint, as long as it is owed any: takes as many as the circuit allows,
/// sends each by itself, and reports what came of them in batches. One loop decides; each send is a task that ends in
/// a result for the loop. At most one of them waits for a place among all endpoints' requests, so that endpoints take
/// turns.
/// </summary>
internal sealed partial class WebhookPusher(WebhookPushers all, string stream, string subscriber,
    ISubscriberSession session, WebhookTarget target, WebhookCircuit circuit)
{
    private const int TakenBytes = 1 << 20;
    private static readonly TimeSpan s_storeRetry = TimeSpan.FromSeconds(1);

    private readonly Channel<bool> _woken = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentQueue<Sent> _sent = new();
    private readonly Queue<Taken> _taken = new();
    private long _takeAtMs = long.MinValue;
    private int _underWay;
    private volatile bool _isWaiting;

    /// <summary>An event that is to be sent.</summary>
    private sealed record Taken(string Id, long Seq, int Attempt, WebhookMessage Message);

    /// <summary>An event that was, and what came of it; null: nothing did.</summary>
    private sealed record Sent(Taken Event, WebhookResult? Result);

    private long NowMs => Instant.Of(all.Time).Ms;

    private bool IsEnding => session.IsOver || all.Draining.IsCancellationRequested || circuit.IsDisabled;

    /// <summary>Until the subscriber is owed nothing for a while, is changed or removed, its endpoint is disabled, or
    /// the server stops. What is under way then is finished, within the time that a stop leaves.</summary>
    public async Task Run()
    {
        session.Woken = Wake;
        await using var draining = all.Draining.Register(Wake);
        await using var cut = all.Cut.Register(Wake);
        var idleAtMs = long.MaxValue;
        while (true)
        {
            Collect();
            Settle();
            if (!IsEnding) await SendNext();
            var isQuiet = _underWay == 0 && IsSettled;
            if (IsEnding && isQuiet && await IsEnded()) return;
            var isIdle = isQuiet && _taken.Count == 0 && session.PendingCount == 0;
            idleAtMs = !isIdle ? long.MaxValue
                : Math.Min(idleAtMs, NowMs + (long)all.Options.IdleAfter.TotalMilliseconds);
            if (NowMs >= idleAtMs) return;
            await Wait(idleAtMs, _takeAtMs, _settleAtMs, circuit.NotBeforeMs);
        }
    }

    private void Wake() => _woken.Writer.TryWrite(true);

    /// <summary>Until something happens, or the first of the times that are still to come.</summary>
    private async Task Wait(params long[] timesMs)
    {
        var now = NowMs;
        var next = timesMs.Where(ms => ms > now).Min();
        var left = next == long.MaxValue ? Timeout.InfiniteTimeSpan
            : TimeSpan.FromMilliseconds(Math.Min(next - now, int.MaxValue));
        await using var timer = all.Time.CreateTimer(static state => ((WebhookPusher)state!).Wake(), this, left,
            Timeout.InfiniteTimeSpan);
        await _woken.Reader.ReadAsync();
    }

    private async Task SendNext()
    {
        var room = circuit.Allowed(NowMs) - _underWay;
        if (room <= 0 || _isWaiting) return;
        if (_taken.Count == 0 && NowMs >= _takeAtMs) await Take(room);
        if (!_taken.TryDequeue(out var next)) return;
        _underWay++;
        _isWaiting = true;
        _ = Send(next);
    }

    private async Task Take(int limit)
    {
        try
        {
            var page = await session.Take(limit, TakenBytes);
            using var events = page.Events;
            for (var i = 0; i < events.Count; i++)
            {
                var slot = events.Slots[i];
                _taken.Enqueue(new Taken(WebhookBody.CursorOf(events.FrameOf(slot)), slot.Seq, page.Attempts[i],
                    WebhookBody.Make(stream, subscriber, events.FrameOf(slot), slot, page.Attempts[i],
                        target.AsCloudEvent)));
            }
        }
        catch (LogUnavailableException)
        {
            _takeAtMs = NowMs + (long)s_storeRetry.TotalMilliseconds;
        }
    }

    private async Task Send(Taken next)
    {
        WebhookResult? result = null;
        try
        {
            await all.Places.WaitAsync(all.Draining);
            try
            {
                _isWaiting = false;
                Wake();
                // Before it goes out: what may have arrived must count as an attempt.
                session.Delivered([next.Seq]);
                result = await all.Sender.Send(target, next.Message, all.Cut);
            }
            finally
            {
                all.Places.Release();
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops: the event goes back with the session.
        }
        catch (Exception fault)
        {
            SendFaulted(all.Logger, fault, stream, next.Seq, subscriber);
            result = new WebhookResult(WebhookOutcome.Failed, "fault");
        }
        _sent.Enqueue(new Sent(next, result));
        Wake();
    }

    [LoggerMessage(EventIds.PushFaulted, LogLevel.Error, "Stream {Stream}, seq {Seq}: push to {Subscriber} failed")]
    private static partial void SendFaulted(ILogger logger, Exception fault, string stream, long seq,
        string subscriber);
}
