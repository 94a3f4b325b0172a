namespace OrleansEvents.Api;

/// <summary>The ids of the Api's log lines, in one place so that none is given twice.</summary>
internal static class EventIds
{
    public const int Started = 1;
    public const int Stopping = 2;
    public const int Stopped = 3;
    public const int Http2Unavailable = 4;
    public const int Found = 5;
    public const int RequestFailed = 10;
    public const int Published = 11;
    public const int PublishRefused = 12;
    public const int StorageFailed = 20;
    public const int StorageRecovered = 21;
    public const int StreamOpened = 30;
    public const int StreamFenced = 31;
    public const int Committed = 32;
    public const int SubscriberRegistered = 40;
    public const int EventsParked = 41;
    public const int SubscriberExpired = 42;
    public const int SubscriberRemoved = 43;
    public const int Acknowledged = 44;
    public const int OwedEventLost = 45;
    public const int ConnectionOpened = 50;
    public const int ConnectionEnded = 51;
    public const int ConnectionDropped = 52;
    public const int ConnectionFailed = 53;
    public const int Carried = 54;
    public const int CarriedOwed = 55;
    public const int ConnectionStale = 56;
    public const int ConnectionLeft = 57;
    public const int HealthCounted = 58;
    public const int OperationNearLimit = 60;
    public const int OperationTimedOut = 61;
    public const int NotClosed = 62;
    public const int Trimmed = 63;
    public const int Pushed = 80;
    public const int PushFaulted = 81;
    public const int WebhookOpened = 82;
    public const int WebhookClosed = 83;
    public const int WebhookDisabled = 84;
    public const int WebhookRefused = 85;
    public const int PusherFailed = 86;
}
