using OrleansEvents.Api.Options;
using OrleansEvents.Api.Webhooks;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Webhooks;

public sealed class WebhookCircuitTests
{
    private static readonly WebhookResult s_ok = new(WebhookOutcome.Acknowledged, "http 200");
    private static readonly WebhookResult s_failed = new(WebhookOutcome.Failed, "http 500");
    private static readonly WebhooksOptions s_options = new()
    {
        EndpointConcurrency = 3,
        CircuitFailures = 3,
        CircuitOpen = TimeSpan.FromMilliseconds(100),
        CircuitOpenMax = TimeSpan.FromMilliseconds(300),
        DisableAfter = TimeSpan.FromMilliseconds(10_000),
    };

    private readonly WebhookCircuit _circuit = new(s_options);

    [Fact]
    public void Successes_allow_more_at_once_and_a_failure_allows_one()
    {
        Assert.Equal(1, _circuit.Allowed(0));
        Take(s_ok, 0);
        Assert.Equal(2, _circuit.Allowed(0));
        Take(s_ok, 0, 0, 0);
        Assert.Equal(3, _circuit.Allowed(0));
        Take(s_failed, 0);
        Assert.Equal(1, _circuit.Allowed(0));
    }

    [Fact]
    public void Failures_in_a_row_open_it_for_a_while_that_doubles()
    {
        Assert.Equal([CircuitChange.None, CircuitChange.None, CircuitChange.Opened], Take(s_failed, 0, 0, 0));
        Assert.Equal((0, 0, 1), (_circuit.Allowed(0), _circuit.Allowed(99), _circuit.Allowed(100)));
        Take(s_failed, 100);
        Assert.Equal((0, 1), (_circuit.Allowed(299), _circuit.Allowed(300)));
        Take(s_failed, 300);
        Assert.Equal((0, 1), (_circuit.Allowed(599), _circuit.Allowed(600)));
    }

    [Fact]
    public void What_was_under_way_when_it_opened_does_not_keep_it_open_longer()
    {
        Take(s_failed, 0, 0, 0, 50, 99);
        Assert.Equal(1, _circuit.Allowed(100));
    }

    [Fact]
    public void A_success_closes_it()
    {
        Take(s_failed, 0, 0, 0, 100);
        Assert.Equal([CircuitChange.Closed], Take(s_ok, 300));
        Assert.True(_circuit.IsHealthy);
        Assert.Equal([CircuitChange.None, CircuitChange.None, CircuitChange.Opened], Take(s_failed, 300, 300, 300));
        Assert.Equal((0, 1), (_circuit.Allowed(399), _circuit.Allowed(400)));
    }

    [Fact]
    public void An_endpoint_that_asks_for_time_is_given_it()
    {
        Take(s_failed with { RetryAfter = TimeSpan.FromMilliseconds(500) }, 0);
        Assert.Equal((0, 1), (_circuit.Allowed(499), _circuit.Allowed(500)));
        Assert.False(_circuit.IsOpen);
    }

    [Fact]
    public void Failing_for_long_without_a_success_disables_it()
    {
        Take(s_failed, 1000, 5000);
        Take(s_ok, 6000);
        Assert.Equal([CircuitChange.None, CircuitChange.None, CircuitChange.Opened],
            Take(s_failed, 7000, 12_000, 16_999));
        Assert.Equal([CircuitChange.Disabled], Take(s_failed, 17_000));
        Assert.Equal(7000, _circuit.FailingSinceMs(17_000));
        Assert.Equal(0, _circuit.Allowed(long.MaxValue));
        Assert.Equal([CircuitChange.None, CircuitChange.None], Take(s_ok, 18_000, 19_000));
        Assert.True(_circuit.IsDisabled);
    }

    [Fact]
    public void A_while_without_events_is_no_failing()
    {
        Take(s_failed, 1000);
        Assert.Equal([CircuitChange.None], Take(s_failed, 1000 + 10_001));
        Assert.Equal(11_001, _circuit.FailingSinceMs(11_001));
    }

    [Fact]
    public void One_that_failed_when_the_last_process_ended_goes_on_from_there()
    {
        var failing = new PushFailing(995_000, 996_000);
        var circuit = new WebhookCircuit(s_options, failing, new Instant(1_000_000, 500));
        Assert.Equal(failing, circuit.Failing(new Instant(1_000_000, 500)));
        Assert.Equal(CircuitChange.None, circuit.Take(s_failed, 500));
        Assert.Equal(new PushFailing(995_000, 1_000_000), circuit.Failing(new Instant(1_000_100, 600)));
        Assert.Equal(CircuitChange.Disabled, circuit.Take(s_failed, 5500));
        Assert.Equal(-4500, circuit.FailingSinceMs(5500));
    }

    [Fact]
    public void One_that_was_sent_nothing_since_long_before_the_last_process_ended_begins_anew()
    {
        var circuit = new WebhookCircuit(s_options, new PushFailing(900_000, 994_000), new Instant(1_000_000, 500));
        Assert.Equal(CircuitChange.None, circuit.Take(s_failed, 500));
        Assert.Equal(500, circuit.FailingSinceMs(500));
    }

    [Fact]
    public void A_receiver_that_says_it_is_gone_is_disabled_at_once() =>
        Assert.Equal([CircuitChange.Disabled], Take(new WebhookResult(WebhookOutcome.Gone, "http 410"), 5));

    private CircuitChange[] Take(WebhookResult result, params long[] timesMs) =>
        [.. timesMs.Select(ms => _circuit.Take(result, ms))];
}
