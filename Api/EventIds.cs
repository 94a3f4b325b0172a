namespace OrleansEvents.Api;

/// <summary>The ids of the Api's log lines, in one place so that none is given twice.</summary>
internal static class EventIds
{
    public const int Started = 1;
    public const int Stopping = 2;
    public const int Stopped = 3;
    public const int Http2Unavailable = 4;
    public const int RequestFailed = 10;
}
