using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>The time limit of what a request asks of the engine.</summary>
internal sealed class Operations(OperationsOptions options, TimeProvider time)
{
    /// <summary>An operation that writes.</summary>
    public ValueTask<Outcome<T>> Limit<T>(ValueTask<Outcome<T>> operation) =>
        Limit(operation, options.Timeout + options.VoidAfter);

    /// <summary>A simple one, that looks.</summary>
    public ValueTask<Outcome<T>> LimitSimple<T>(ValueTask<Outcome<T>> operation) =>
        Limit(operation, options.SimpleTimeout);

    private ValueTask<Outcome<T>> Limit<T>(ValueTask<Outcome<T>> operation, TimeSpan limit) =>
        operation.IsCompletedSuccessfully ? operation : Wait(operation, limit);

    private async ValueTask<Outcome<T>> Wait<T>(ValueTask<Outcome<T>> operation, TimeSpan limit)
    {
        var running = operation.AsTask();
        try
        {
            return await running.WaitAsync(limit, time);
        }
        catch (TimeoutException)
        {
            _ = LetGo(running);
            return new Refusal(ErrorCode.Timeout, $"The operation took longer than {limit.TotalSeconds} s.");
        }
    }

    /// <summary>What comes too late is nobody's: a lease would keep its stream open for ever.</summary>
    private static async Task LetGo<T>(Task<Outcome<T>> late)
    {
        var value = (await late).Value;
        if (value is IPatternLease { Matched: var matched })
            foreach (var lease in matched) lease.Dispose();
        if (value is IDisposable held) held.Dispose();
    }
}
