using System.Globalization;

namespace OrleansEvents.Tests.Http;

/// <summary>Bodies of requests.</summary>
internal static class Given
{
    /// <summary>One event that is not critical; further members behind a comma.</summary>
    public static string Event(int data, string more = "") =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"type":"t","data":{{data}}{{more}}}""");

    public static string Critical(int data, string more = "") => Event(data, $",\"critical\":true{more}");

    /// <summary>An array of events with data from 0 on.</summary>
    public static string Events(int count, string more = "") =>
        $"[{string.Join(',', Enumerable.Range(0, count).Select(i => Event(i, more)))}]";
}
