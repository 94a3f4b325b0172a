using OrleansEvents.Streams;

namespace OrleansEvents.Api.Webhooks;

internal sealed partial class WebhookPusher
{
    private readonly List<Sent> _unsettled = [];
    private Task<List<Sent>>? _settling;
    private long _settleAtMs = long.MinValue;
    private string _lastReason = "";

    private bool IsSettled => _settling is null && _unsettled.Count == 0;

    /// <summary>Takes the results of what was under way.</summary>
    private void Collect()
    {
        while (_sent.TryDequeue(out var sent))
        {
            _underWay--;
            if (sent.Result is not { } result) continue;
            _unsettled.Add(sent);
            all.Count(result, sent.Event.Message.Body.Length);
            if (all.Logger.IsEnabled(LogLevel.Debug))
                Pushed(all.Logger, stream, sent.Event.Seq, subscriber, sent.Event.Attempt, result.Reason);
            if (result.Outcome != WebhookOutcome.Acknowledged) _lastReason = result.Reason;
            switch (circuit.Take(result, NowMs))
            {
                case CircuitChange.Opened:
                    Opened(all.Logger, target.Shown, subscriber, stream, _lastReason);
                    break;
                case CircuitChange.Closed:
                    Closed(all.Logger, target.Shown, subscriber, stream);
                    break;
            }
        }
    }

    /// <summary>Reports results, a batch at a time; those that could not be reported once more after a while.</summary>
    private void Settle()
    {
        if (_settling is { IsCompleted: true })
        {
            var left = _settling.GetAwaiter().GetResult();
            _settling = null;
            // With the time of a stop over, what is not reported is for the next process to try again.
            if (left.Count > 0 && !all.Cut.IsCancellationRequested)
            {
                _unsettled.InsertRange(0, left);
                _settleAtMs = NowMs + (long)s_storeRetry.TotalMilliseconds;
            }
        }
        if (_settling is not null || _unsettled.Count == 0 || NowMs < _settleAtMs && !all.Cut.IsCancellationRequested)
            return;
        _settling = Settle([.. _unsettled]);
        _unsettled.Clear();
        // Behind its end: a loop that is woken before would find it still under way, and sleep.
        _ = _settling.ContinueWith(static (_, pusher) => ((WebhookPusher)pusher!).Wake(), this,
            TaskScheduler.Default);
    }

    private async Task<List<Sent>> Settle(IReadOnlyList<Sent> batch)
    {
        var left = new List<Sent>();
        var failing = circuit.Failing(Instant.Of(all.Time));
        // Successes first: they end what the failures that came after begin again.
        foreach (var same in batch.GroupBy(sent => sent.Result!.Value.Outcome == WebhookOutcome.Acknowledged
            ? null : NackOf(sent)).OrderByDescending(group => group.Key is null))
        {
            var ids = same.Select(sent => sent.Event.Id).ToList();
            var refusal = same.Key is { } nack
                ? (await all.Streams.Nack(stream, subscriber, nack with { Ids = ids, Failing = failing },
                    default)).Refusal
                : (await all.Streams.Acknowledge(stream, subscriber, new AckRequest(ids, null), default)).Refusal;
            if (refusal is { Code: not ErrorCode.NotFound }) left.AddRange(same);
        }
        return left;
    }

    /// <summary>Not before the endpoint asked for, nor before the back-off.</summary>
    private NackRequest NackOf(Sent sent)
    {
        var result = sent.Result!.Value;
        var backoff = session.Policy.BackoffAfter(sent.Event.Attempt);
        return new NackRequest([], result.RetryAfter > backoff ? result.RetryAfter : null, result.Reason);
    }

    /// <summary>Whether nothing is left to be done. An endpoint that is disabled is kept so by the engine, and told of,
    /// as soon as that can be stored.</summary>
    private async Task<bool> IsEnded()
    {
        if (!circuit.IsDisabled || session.IsOver || NowMs < _settleAtMs) return !circuit.IsDisabled || session.IsOver;
        var disabled = await all.Streams.DisablePush(stream, subscriber, _lastReason);
        if (disabled.Refusal is { Code: not ErrorCode.NotFound })
        {
            _settleAtMs = NowMs + (long)s_storeRetry.TotalMilliseconds;
            return all.Draining.IsCancellationRequested;
        }
        var since = all.Time.GetUtcNow() - TimeSpan.FromMilliseconds(NowMs - circuit.FailingSinceMs(NowMs));
        Disabled(all.Logger, target.Shown, subscriber, stream, since, _lastReason);
        await all.System.WebhookDisabled(stream, subscriber, target.Shown, since, _lastReason);
        return true;
    }

    [LoggerMessage(EventIds.Pushed, LogLevel.Debug,
        "Stream {Stream}, seq {Seq}: pushed to {Subscriber}, attempt {Attempt}: {Result}")]
    private static partial void Pushed(ILogger logger, string stream, long seq, string subscriber, int attempt,
        string result);

    [LoggerMessage(EventIds.WebhookOpened, LogLevel.Warning,
        "Webhook {Url} of subscriber {Subscriber} of stream {Stream} does not take events: {Reason}")]
    private static partial void Opened(ILogger logger, string url, string subscriber, string stream, string reason);

    [LoggerMessage(EventIds.WebhookClosed, LogLevel.Information,
        "Webhook {Url} of subscriber {Subscriber} of stream {Stream} takes events again")]
    private static partial void Closed(ILogger logger, string url, string subscriber, string stream);

    [LoggerMessage(EventIds.WebhookDisabled, LogLevel.Error,
        "Webhook {Url} of subscriber {Subscriber} of stream {Stream} is disabled, failing since {Since:O}: {Reason}")]
    private static partial void Disabled(ILogger logger, string url, string subscriber, string stream,
        DateTimeOffset since, string reason);
}
