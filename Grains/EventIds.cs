namespace OrleansEvents.Grains;

/// <summary>The event ids of this room's log lines; the API's are below 2000.</summary>
internal static class EventIds
{
    public const int StreamOpened = 2000;
    public const int StreamClosed = 2001;
    public const int StreamFenced = 2002;
    public const int StorageFailed = 2003;
    public const int SubscriberDeaf = 2004;
    public const int StreamMoved = 2005;
    public const int NotWarm = 2006;
    public const int TapDeaf = 2010;
    public const int TapNotRenewed = 2011;
    public const int PatternsNotWatched = 2020;
    public const int CallFailed = 2021;
    public const int SubscriberRegistered = 2030;
    public const int SubscriberRemoved = 2031;
    public const int SubscriberExpired = 2032;
    public const int SubscriberStorageFailed = 2033;
    public const int SubscriberFenced = 2034;
    public const int EventsParked = 2035;
    public const int OwedEventLost = 2036;
    public const int OwnerSilent = 2037;
    public const int NotReminded = 2038;
    public const int ItemRefused = 2050;
    public const int ItemNotTaken = 2051;
    public const int FollowedNotRead = 2052;
}
