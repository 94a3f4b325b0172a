using System.Globalization;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>A publisher that sends a batch at a time, and sends again what it had no answer for if a key makes that
/// safe: its events are durable.</summary>
internal sealed class SimulatedPublisher(Simulation simulation)
{
    private (string Stream, NewEvent[] Events)? _unanswered;

    public async Task Publish(string stream, bool durable)
    {
        var isRetry = _unanswered is not null;
        var (to, events) = _unanswered ?? (stream, Make(durable));
        var safe = events.All(each => each.Key is not null) && (Simulation.IsDurable(to) || events.Any(each =>
            each.Critical == true));
        _unanswered = safe ? (to, events) : null;
        var each = new List<PublishedEvent>();
        var answer = await simulation.Engine.Publish(to, events, each, CancellationToken.None);
        if (answer.Refusal is { } refusal)
        {
            Assert.Contains(refusal.Code, new[] { ErrorCode.StoreUnavailable, ErrorCode.CircuitOpen });
            simulation.Refused++;
            return;
        }
        _unanswered = null;
        Assert.Equal(events.Length, each.Count);
        for (var i = 0; i < events.Length; i++)
        {
            Assert.True(isRetry || !each[i].Duplicate);
            simulation.Answered(to, each[i].Id.Seq, events[i], answer.Value.Durable);
        }
    }

    private NewEvent[] Make(bool durable)
    {
        var keyed = simulation.Random.Next(2) == 0;
        return [.. Enumerable.Range(0, 1 + simulation.Random.Next(4)).Select(_ =>
        {
            var data = simulation.NextContent().ToString(CultureInfo.InvariantCulture);
            return StreamUnderTest.Event(data, durable, keyed ? $"k{data}" : null);
        })];
    }
}
