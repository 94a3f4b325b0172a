using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>What a call to an owner may fail of while silos come and go; it is tried again for as long as missing a
/// dead silo takes.</summary>
internal static class Transient
{
    public static Refusal Unreachable { get; } = new(Streams.ErrorCode.StoreUnavailable,
        "The stream's owner cannot be reached.", TimeSpan.FromSeconds(1));

    public static bool Is(Exception exception) => exception is OrleansException or TimeoutException;

    /// <summary>Whether the call cannot have been carried out: it was turned away before it was delivered. One that was
    /// under way to a silo that died fails with <see cref="SiloUnavailableException"/>, and may have been.</summary>
    public static bool WasNotDelivered(Exception exception) =>
        exception is OrleansMessageRejectionException and not SiloUnavailableException;

    /// <summary>Waits before a call is tried again: shortly at first, for an owner that only moves.</summary>
    public static Task Pause(this NodeContext context, int failures)
    {
        var most = context.Options.RetryEvery;
        var wait = TimeSpan.FromMilliseconds(5 << Math.Min(failures, 10));
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
                return await call();
            }
            catch (Exception e) when (Is(e))
            {
                failedAt ??= context.Time.GetTimestamp();
                if (context.Time.GetElapsedTime(failedAt.Value) >= context.Options.RetryFor) return Unreachable;
            }
            await context.Pause(failures);
        }
    }
}
