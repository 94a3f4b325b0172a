using System.Diagnostics;

namespace OrleansEvents.Api.Metrics;

internal static class Spans
{
    public const string SourceName = "OrleansEvents";
    private static readonly ActivitySource s_source = new(SourceName, ApiHost.Version);
}
