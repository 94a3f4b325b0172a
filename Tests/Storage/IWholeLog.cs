using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

/// <summary>All that a log may be asked, by owners of streams and of subscribers.</summary>
public interface IWholeLog : IEventLog, ISubscriberLog;
