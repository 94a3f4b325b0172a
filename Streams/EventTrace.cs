using System.Diagnostics;
using System.Text;

namespace OrleansEvents.Streams;

/// <summary>The trace that an event names by its member <c>traceparent</c>.</summary>
public static class EventTrace
{
    /// <summary>The name under which the spans of an event's way are made.</summary>
    public const string SourceName = "OrleansEvents";

    private const int MostLinks = 128;
    private const int TraceParentLength = 55;

    /// <summary>The trace that an encoded event names, or null: its JSON ends with the member. No other text ends so,
    /// since a quote inside a string is escaped.</summary>
    public static ActivityContext? ContextOf(ReadOnlySpan<byte> frame)
    {
        var before = ",\"traceparent\":\""u8;
        var behind = "\"}\n\n"u8;
        if (!frame.EndsWith(behind)) return null;
        var member = frame[..^behind.Length];
        if (member.Length < before.Length + TraceParentLength || !member[..^TraceParentLength].EndsWith(before))
            return null;
        var text = Encoding.ASCII.GetString(member[^TraceParentLength..]);
        return ActivityContext.TryParse(text, null, isRemote: true, out var context) ? context : null;
    }

    /// <summary>Links to the traces that a commit's events name, 128 at most.</summary>
    public static IReadOnlyList<ActivityLink> LinksOf(CommitWork work)
    {
        var links = new List<ActivityLink>();
        foreach (var run in work.Runs)
        {
            foreach (ref readonly var slot in run.Slots)
            {
                if (links.Count == MostLinks) return links;
                if (ContextOf(run.FrameOf(slot)) is { } context) links.Add(new ActivityLink(context));
            }
        }
        return links;
    }
}
