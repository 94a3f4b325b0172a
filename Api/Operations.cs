using System.Runtime.CompilerServices;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api;

/// <summary>
/// The time limit of everything that takes time: what comes near its limit is logged and counted, and what passes it
/// too; a client is told <c>TIMEOUT</c>. An operation that passed its limit goes on until storage answers, and what
/// comes of it then is let go.
/// </summary>
internal sealed partial class Operations(OperationsOptions options, TimeProvider time, ServerMeter meter,
    ILogger<Operations> logger)
{
    /// <summary>The server's own doing, on no stream.</summary>
    private const string NoStream = "-";

    public OperationsOptions Options => options;

    /// <summary>An operation that writes.</summary>
    public ValueTask<Outcome<T>> Limit<T>(ValueTask<Outcome<T>> operation, [CallerMemberName] string name = "",
        string stream = NoStream) => Limit(operation, options.Timeout, name, stream);

    /// <summary>A simple one, that looks.</summary>
    public ValueTask<Outcome<T>> LimitSimple<T>(ValueTask<Outcome<T>> operation, [CallerMemberName] string name = "",
        string stream = NoStream) => Limit(operation, options.SimpleTimeout, name, stream);

    /// <summary>A read from storage that throws when storage does not answer.</summary>
    public ValueTask<Outcome<T>> LimitRead<T>(ValueTask<T> read, string name, string stream)
    {
        return LimitSimple(Outcome(), name, stream);

        async ValueTask<Outcome<T>> Outcome()
        {
            try
            {
                return await read;
            }
            catch (LogUnavailableException e)
            {
                meter.ReadErrors.One("of", "storage");
                return new Refusal(ErrorCode.StoreUnavailable, e.Message, TimeSpan.FromSeconds(1));
            }
        }
    }

    /// <summary>Waits for something to end, however it ends; false when it passes its limit first, and is still
    /// running.</summary>
    public async Task<bool> EndsWithin(TimeSpan limit, Task running, string name, string stream = NoStream)
    {
        var warnAfter = limit * (options.WarnAtPercent / 100.0);
        if (await Ends(running, warnAfter)) return true;
        meter.SlowOperations.One("operation", name);
        ComesNear(logger, name, stream, warnAfter.TotalSeconds, limit.TotalSeconds);
        if (await Ends(running, limit - warnAfter)) return true;
        meter.OperationsTimedOut.One("operation", name);
        Passed(logger, name, stream, limit.TotalSeconds);
        return false;
    }

    /// <summary>What a client is told of an operation that passed its limit.</summary>
    public static Refusal Late(TimeSpan limit) =>
        new(ErrorCode.Timeout, $"The operation took longer than {limit.TotalSeconds} s.");

    private ValueTask<Outcome<T>> Limit<T>(ValueTask<Outcome<T>> operation, TimeSpan limit, string name,
        string stream) =>
        operation.IsCompletedSuccessfully ? operation : Wait(operation.AsTask(), limit, name, stream);

    private async ValueTask<Outcome<T>> Wait<T>(Task<Outcome<T>> running, TimeSpan limit, string name, string stream)
    {
        if (await EndsWithin(limit, running, name, stream)) return await running;
        _ = LetGo(running);
        return Late(limit);
    }

    private async Task<bool> Ends(Task running, TimeSpan within)
    {
        await running.WaitAsync(within, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return running.IsCompleted;
    }

    /// <summary>What comes too late is nobody's: a lease would keep its stream open for ever.</summary>
    private static async Task LetGo<T>(Task<Outcome<T>> late)
    {
        var value = (await late).Value;
        if (value is IPatternLease { Matched: var matched })
            foreach (var lease in matched) lease.Dispose();
        if (value is SubscriberPage { Events: var events }) events.Dispose();
        if (value is OwedPage { Events: var owed }) owed.Dispose();
        if (value is IDisposable held) held.Dispose();
    }

    [LoggerMessage(EventIds.OperationNearLimit, LogLevel.Warning,
        "Operation {Operation} on stream {Stream} has taken {Seconds} s; its limit is {Limit} s")]
    private static partial void ComesNear(ILogger logger, string operation, string stream, double seconds,
        double limit);

    [LoggerMessage(EventIds.OperationTimedOut, LogLevel.Error,
        "Operation {Operation} on stream {Stream} passed its limit of {Limit} s (TIMEOUT)")]
    private static partial void Passed(ILogger logger, string operation, string stream, double limit);
}
