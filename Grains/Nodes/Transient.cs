using Microsoft.Extensions.Logging;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>
/// What a call to an owner may fail of while silos and grains come and go; it is tried again for as long as missing a
/// dead silo takes. That may be anything: a call that a silo turns away fails here with whatever placing or activating
/// its grain failed of there, of any type. What a grain itself has to say it says as a value.
/// </summary>
internal static partial class Transient
{
    public static Refusal Unreachable { get; } = new(Streams.ErrorCode.StoreUnavailable,
        "The stream's owner cannot be reached.", TimeSpan.FromSeconds(1));

    /// <summary>What one says that has a successor: the next call finds that.</summary>
    public static Refusal Moving { get; } = new(Streams.ErrorCode.StoreUnavailable,
        "Its owner is moving to another node.", TimeSpan.FromSeconds(1));

    /// <summary>Whether the call cannot have been carried out: it was turned away before it was delivered. One that was
    /// under way to a silo that died fails with <see cref="SiloUnavailableException"/>, and may have been.</summary>
    public static bool WasNotDelivered(Exception exception) =>
        exception is OrleansMessageRejectionException and not SiloUnavailableException;

    /// <summary>Waits before a call is tried again: shortly at first, for an owner that only moves. That takes some
    /// tens of milliseconds, and whoever doubled its waits would miss the end of it by as long.</summary>
    public static Task Pause(this NodeContext context, int failures)
    {
        var most = context.Options.RetryEvery;
        var wait = TimeSpan.FromMilliseconds(
            failures < 8 ? Math.Min(5 << failures, 20) : 100 << Math.Min(failures - 8, 8));
        return Task.Delay(wait < most ? wait : most, context.Time);
    }

    /// <summary>Calls again until an answer comes, for as long as is set. Only for what may be done twice.</summary>
    public static async Task<Outcome<T>> Ask<T>(this NodeContext context, Func<Task<Outcome<T>>> call)
    {
        long? failedAt = null;
        for (var failures = 0; ; failures++)
        {
            try
            {
                var answer = await call();
                if (answer.Refusal != Moving) return answer;
                if (context.GivesUp(ref failedAt)) return Unreachable;
            }
#pragma warning disable CA1031 // Of any type, see above.
            catch (Exception e)
#pragma warning restore CA1031
            {
                if (context.GivesUp(ref failedAt, e)) return Unreachable;
            }
            await context.Pause(failures);
        }
    }

    /// <summary>Whether it was tried for as long as is set. What is not of the cluster's coming and going may be a
    /// mistake: it is logged when it is first met.</summary>
    public static bool GivesUp(this NodeContext context, ref long? failedAt, Exception? exception = null)
    {
        if (failedAt is null && exception is not (null or OrleansException or TimeoutException))
            CallFailed(context.Loggers.CreateLogger(typeof(Transient)), exception);
        failedAt ??= context.Time.GetTimestamp();
        return context.Time.GetElapsedTime(failedAt.Value) >= context.Options.RetryFor;
    }

    [LoggerMessage(EventIds.CallFailed, LogLevel.Warning,
        "A call to a stream's owner was turned away or failed; it is made again")]
    private static partial void CallFailed(ILogger logger, Exception exception);
}
