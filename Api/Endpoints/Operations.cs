using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>The time limit of what a request asks of the engine.</summary>
internal sealed class Operations(OperationsOptions options, TimeProvider time)
{
    /// <summary>An operation that writes.</summary>
    public ValueTask<Outcome<T>> Limit<T>(ValueTask<Outcome<T>> operation) => Limit(operation, options.Timeout + options.VoidAfter);

    /// <summary>A simple one, that looks.</summary>
    public ValueTask<Outcome<T>> LimitSimple<T>(ValueTask<Outcome<T>> operation) => Limit(operation, options.SimpleTimeout);

    private ValueTask<Outcome<T>> Limit<T>(ValueTask<Outcome<T>> operation, TimeSpan limit) =>
        operation.IsCompletedSuccessfully ? operation : Wait(operation, limit);

    private async ValueTask<Outcome<T>> Wait<T>(ValueTask<Outcome<T>> operation, TimeSpan limit)
    {
        try
        {
            return await operation.AsTask().WaitAsync(limit, time);
        }
        catch (TimeoutException)
        {
            return new Refusal(ErrorCode.Timeout, $"The operation took longer than {limit.TotalSeconds} s.");
        }
    }
}
