using System.Diagnostics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Metrics;

/// <summary>
/// The trace spans of an event's way, in its order: <c>publish</c>, <c>append</c>, <c>commit</c> where it must be
/// durable, <c>deliver</c> once for each reader that it is written to. Nothing is made, and no event is looked at,
/// unless somebody listens.
/// </summary>
internal static class Spans
{
    private static readonly ActivitySource s_source = new(EventTrace.SourceName, ApiHost.Version);

    /// <summary>Whether anybody listens.</summary>
    public static bool AreWanted => s_source.HasListeners();

    /// <summary>A publisher's request, in the trace that its <c>traceparent</c> header names, or at the beginning of
    /// one.</summary>
    public static Activity? Publish(HttpRequest request, string stream)
    {
        if (!AreWanted) return null;
        var isTraced = ActivityContext.TryParse(request.Headers.TraceParent, request.Headers.TraceState,
            isRemote: true, out var publisher);
        // The web server's own activity is nobody's to see: as a parent it would be missing from the trace.
        if (!isTraced) Activity.Current = null;
        return s_source.StartActivity("publish", ActivityKind.Producer, publisher)?.SetTag("stream", stream);
    }

    public static Activity? Append(string stream) =>
        s_source.StartActivity("append")?.SetTag("stream", stream);

    /// <summary>A stream's commit: a child of the publish that began it, linked to every event in it that names a
    /// trace.</summary>
    public static Activity? Commit(string stream, CommitWork work)
    {
        if (!AreWanted) return null;
        return s_source.StartActivity("commit", ActivityKind.Internal, Activity.Current?.Context ?? default,
                links: EventTrace.LinksOf(work))
            ?.SetTag("stream", stream).SetTag("first", work.Runs[0].First).SetTag("last", work.Runs[^1].Last);
    }

    /// <summary>The first events of a block have been written to a reader.</summary>
    public static void Deliver(string stream, in FeedBlock block, int count, string reader)
    {
        for (var i = 0; i < count; i++) Deliver(stream, block.Frame(block[i]), block[i].Seq, reader);
    }

    /// <summary>An event has been written to a reader: a span in the trace that the event names, if it names
    /// one.</summary>
    public static void Deliver(string stream, ReadOnlySpan<byte> frame, long seq, string reader)
    {
        if (EventTrace.ContextOf(frame) is not { } context) return;
        using var span = s_source.StartActivity("deliver", ActivityKind.Consumer, context);
        span?.SetTag("stream", stream).SetTag("seq", seq).SetTag("reader", reader);
    }
}
