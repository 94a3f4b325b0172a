using System.Diagnostics.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Metrics;

/// <summary>How the server's parts count: the label's values in one place.</summary>
internal static class Counting
{
    public static void One(this Counter<long> counter, string label, string value) =>
        counter.Add(1, new KeyValuePair<string, object?>(label, value));

    /// <summary>A publish was answered.</summary>
    public static void Publish(this ServerMeter meter, in Outcome<Published> outcome,
        ReadOnlySpan<NewEvent> events, TimeSpan took)
    {
        var published = outcome.Value;
        var durable = Durable(outcome.Refusal is null && published.Durable);
        var result = Result(outcome.Refusal is { } refusal ? refusal.Code.WireName() : "ok");
        meter.PublishDuration.Record(took.TotalSeconds, result, durable);
        if (outcome.Refusal is not null)
        {
            meter.PublishedEvents.Add(events.Length, result, durable);
            return;
        }
        if (published.Count > 0) meter.PublishedEvents.Add(published.Count, result, durable);
        if (published.Duplicates > 0)
            meter.PublishedEvents.Add(published.Duplicates, Result("duplicate"), durable);
        if (published.Count == 0) return;
        var bytes = 0L;
        foreach (ref readonly var each in events) bytes += each.Type.Length + each.Data.Length;
        meter.PublishedBytes.Add(bytes, durable);
    }

    /// <summary>A stream's commit came back.</summary>
    public static void Commit(this ServerMeter meter, CommitWork work, bool ok, TimeSpan took)
    {
        var events = 0;
        foreach (var run in work.Runs) events += run.Count;
        meter.CommitEvents.Record(events);
        meter.CommitDuration.Record(took.TotalSeconds, Result(ok ? "ok" : "failed"));
    }

    /// <summary>A request was refused, or failed, and its client is told.</summary>
    public static void Answered(this ServerMeter meter, ErrorCode code)
    {
        meter.Failed(code);
        meter.Told(code, "answer");
    }

    /// <summary>Something was refused or failed; called once for it, however many are told.</summary>
    public static void Failed(this ServerMeter meter, ErrorCode code) =>
        meter.ErrorCount.One("code", code.WireName());

    /// <param name="meter">The server's.</param>
    /// <param name="code">What was told.</param>
    /// <param name="to">answer, frame or system.</param>
    /// <param name="times">To how many.</param>
    public static void Told(this ServerMeter meter, ErrorCode code, string to, int times = 1) =>
        meter.ProblemsTold.Add(times, new("code", code.WireName()),
            new KeyValuePair<string, object?>("to", to));

    private static KeyValuePair<string, object?> Result(string value) => new("result", value);

    private static KeyValuePair<string, object?> Durable(bool durable) => new("durable", durable ? "true" : "false");
}
