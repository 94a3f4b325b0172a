using System.Collections.Concurrent;
using System.Reflection;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Storage;

namespace OrleansEvents.Tests.Http;

/// <summary>A log that takes no writes while it is told to fail.</summary>
public class FailingLog : DispatchProxy
{
    private static readonly string[] s_reads =
        [nameof(IEventLog.Read), nameof(IEventLog.ReadNewest), nameof(IEventLog.ReadOwed),
            nameof(IEventLog.ReadParked), nameof(IEventLog.StreamsToWake), nameof(IEventLog.List),
            nameof(IEventLog.IsDeleted), nameof(IAsyncDisposable.DisposeAsync)];

    private IEventLog _inner = null!;

    public bool Fails { get; set; }

    /// <summary>What it was given to save of subscribers.</summary>
    public ConcurrentQueue<SubscriberWrite> Saves { get; } = new();

    public IEventLog Log => (IEventLog)(object)this;

    public static FailingLog Over(IEventLog inner)
    {
        var log = (FailingLog)(object)Create<IWholeLog, FailingLog>();
        log._inner = inner;
        return log;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (Fails && !s_reads.Contains(targetMethod!.Name)) throw new LogUnavailableException("No space is left.");
        if (args?.OfType<SubscriberWrite>().FirstOrDefault() is { } save) Saves.Enqueue(save);
        return targetMethod!.Invoke(_inner, args);
    }
}
