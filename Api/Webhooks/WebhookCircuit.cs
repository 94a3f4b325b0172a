using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Webhooks;

/// <summary>What a result did to an endpoint's circuit.</summary>
internal enum CircuitChange
{
    None,

    /// <summary>So many failures in a row that only one event is tried now and then.</summary>
    Opened,

    /// <summary>It takes events again.</summary>
    Closed,

    /// <summary>It failed for so long, or said so itself: nothing is sent any more.</summary>
    Disabled,
}

/// <summary>
/// How an endpoint does, and so how many requests it may have under way. One at first, one more by each success up
/// to a setting, back to one by a failure: so endpoints that hang take few of the places that all share. After some
/// failures in a row the circuit opens: nothing is sent for a while, then one event at a time, each failure doubling
/// the while. Failing for very long, without one success, disables it; while nothing is sent it does not fail. Times
/// are monotonic milliseconds; not thread-safe.
/// </summary>
internal sealed class WebhookCircuit(WebhooksOptions options, PushFailing? failing = null, Instant now = default)
{
    private int _window = 1;
    private int _failures;
    private long? _failingSinceMs = failing is { } before ? now.Ms - Math.Max(0, now.UnixMs - before.SinceMs) : null;
    private long _lastFailureMs = failing is { } last ? now.Ms - Math.Max(0, now.UnixMs - last.LastMs) : 0;
    private TimeSpan _open = options.CircuitOpen;

    /// <summary>Nothing is sent before.</summary>
    public long NotBeforeMs { get; private set; } = long.MinValue;

    public bool IsDisabled { get; private set; }

    public bool IsOpen => _failures >= options.CircuitFailures;

    /// <summary>Whether there is nothing to remember of it.</summary>
    public bool IsHealthy => _failingSinceMs is null;

    /// <summary>Since when it has only failed.</summary>
    public long FailingSinceMs(long nowMs) => _failingSinceMs ?? nowMs;

    /// <summary>What is to be saved of it.</summary>
    public PushFailing? Failing(Instant now) => _failingSinceMs is { } sinceMs
        ? new(now.UnixMs - (now.Ms - sinceMs), now.UnixMs - (now.Ms - _lastFailureMs)) : null;

    /// <summary>Requests that may be under way now.</summary>
    public int Allowed(long nowMs) => IsDisabled || nowMs < NotBeforeMs ? 0 : IsOpen ? 1 : _window;

    public CircuitChange Take(in WebhookResult result, long nowMs)
    {
        if (IsDisabled) return CircuitChange.None;
        return result.Outcome == WebhookOutcome.Acknowledged ? Succeeded() : Failed(result, nowMs);
    }

    private CircuitChange Succeeded()
    {
        var wasOpen = IsOpen;
        _window = Math.Min(_window + 1, options.EndpointConcurrency);
        (_failures, _failingSinceMs, _open, NotBeforeMs) = (0, null, options.CircuitOpen, long.MinValue);
        return wasOpen ? CircuitChange.Closed : CircuitChange.None;
    }

    private CircuitChange Failed(in WebhookResult result, long nowMs)
    {
        if (nowMs - _lastFailureMs > (long)options.DisableAfter.TotalMilliseconds / 2) _failingSinceMs = null;
        _failingSinceMs ??= nowMs;
        _lastFailureMs = nowMs;
        _window = 1;
        var wasTrial = IsOpen && nowMs >= NotBeforeMs;
        _failures++;
        var opened = _failures == options.CircuitFailures;
        if (wasTrial) _open = _open * 2 < options.CircuitOpenMax ? _open * 2 : options.CircuitOpenMax;
        // What was under way when the circuit opened fails too, and says nothing new.
        if (wasTrial || opened) WaitUntil(nowMs + (long)_open.TotalMilliseconds);
        if (result.RetryAfter > TimeSpan.Zero) WaitUntil(nowMs + (long)result.RetryAfter.TotalMilliseconds);
        IsDisabled = result.Outcome == WebhookOutcome.Gone
            || nowMs - _failingSinceMs >= (long)options.DisableAfter.TotalMilliseconds;
        return IsDisabled ? CircuitChange.Disabled : opened ? CircuitChange.Opened : CircuitChange.None;
    }

    private void WaitUntil(long ms) => NotBeforeMs = Math.Max(NotBeforeMs, ms);
}
