using System.Text.Json;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>A gap's members, in a frame and in a poll alike.</summary>
internal static class GapJson
{
    public static void Write(Utf8JsonWriter json, string stream, Gap gap)
    {
        json.WriteString("stream", stream);
        json.WriteString("after", gap.After);
        json.WriteString("resumedAt", gap.ResumedAt.ToString());
        if (gap.Missed is { } missed) json.WriteNumber("missed", missed);
        else json.WriteNull("missed");
        json.WriteString("reason", NameOf(gap.Reason));
    }

    public static string NameOf(GapReason reason) => reason switch
    {
        GapReason.Evicted => "evicted",
        GapReason.Slow => "slow",
        GapReason.Restart => "restart",
        GapReason.Reset => "reset",
        _ => "expired",
    };
}
