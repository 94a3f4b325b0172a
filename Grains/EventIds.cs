namespace OrleansEvents.Grains;

/// <summary>The event ids of this room's log lines; the API's are below 2000.</summary>
internal static class EventIds
{
    public const int StreamOpened = 2000;
    public const int StreamClosed = 2001;
    public const int StreamFenced = 2002;
    public const int StorageFailed = 2003;
    public const int TapDeaf = 2010;
    public const int TapNotRenewed = 2011;
}
