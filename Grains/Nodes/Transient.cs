using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>What a call to an owner may fail of while silos come and go; it is tried again for as long as missing a
/// dead silo takes.</summary>
internal static class Transient
{
    public static Refusal Unreachable { get; } = new(Streams.ErrorCode.StoreUnavailable,
        "The stream's owner cannot be reached.", TimeSpan.FromSeconds(1));

    /// <summary>What one says that has a successor: the next call finds that.</summary>
    public static Refusal Moving { get; } = new(Streams.ErrorCode.StoreUnavailable,
        "Its owner is moving to another node.", TimeSpan.FromSeconds(1));

    public static bool Is(Exception exception) => exception is OrleansException or TimeoutException;

    /// <summary>Whether the call cannot have been carried out: it was turned away before it was delivered. One that was
    /// under way to a silo that died fails with <see cref="SiloUnavailableException"/>, and may have been.</summary>
    public static bool WasNotDelivered(Exception exception) =>
        exception is OrleansMessageRejectionException and not SiloUnavailableException;

    /// <summary>Calls again until an answer comes, for as long as is set. Only for what may be done twice.</summary>
    public static async Task<Outcome<T>> Ask<T>(this NodeContext context, Func<Task<Outcome<T>>> call)
    {
        long? failedAt = null;
        while (true)
        {
            try
            {
                var answer = await call();
                if (answer.Refusal != Moving) return answer;
            }
            catch (Exception e) when (Is(e))
            {
                // Nor is it known whether it was carried out.
            }
            failedAt ??= context.Time.GetTimestamp();
            if (context.Time.GetElapsedTime(failedAt.Value) >= context.Options.RetryFor) return Unreachable;
            await Task.Delay(context.Options.RetryEvery, context.Time);
        }
    }
}
