using System.Diagnostics;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>
/// The spans of a stream's owner, as in the server of one process: <c>append</c>, and <c>commit</c> where it must be
/// durable. A publish names its span in what it sends, so that a trace crosses nodes for every publish of a call that
/// carries many. Nothing is made unless somebody listens.
/// </summary>
internal static class OwnerSpans
{
    private static readonly ActivitySource s_source = new(EventTrace.SourceName);

    /// <summary>The span of the publish that is called here, which it names in what it sends.</summary>
    public static Activity? OfPublisher() =>
        Activity.Current is { IdFormat: ActivityIdFormat.W3C } span && span.Source.Name == EventTrace.SourceName
            ? span
            : null;

    /// <summary>A publish is appended. It is on nobody's way: what is awaited meanwhile is not its child.</summary>
    public static Activity? Append(string stream, string node, string? publisher)
    {
        if (publisher is null || !s_source.HasListeners()
            || !ActivityContext.TryParse(publisher, null, isRemote: true, out var parent)) return null;
        var around = Activity.Current;
        var span = s_source.StartActivity("append", ActivityKind.Internal, parent)
            ?.SetTag("stream", stream).SetTag("node", node);
        Activity.Current = around;
        return span;
    }

    /// <summary>A stream's commit: a child of the append that began it, linked to every event in it that names a
    /// trace.</summary>
    public static Activity? Commit(string stream, string node, CommitWork work, ActivityContext? began)
    {
        if (began is not { } parent || !s_source.HasListeners()) return null;
        var around = Activity.Current;
        var span = s_source.StartActivity("commit", ActivityKind.Internal, parent,
                links: EventTrace.LinksOf(work))
            ?.SetTag("stream", stream).SetTag("node", node)
            .SetTag("first", work.Runs[0].First).SetTag("last", work.Runs[^1].Last);
        Activity.Current = around;
        return span;
    }
}
