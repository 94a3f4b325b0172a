namespace OrleansEvents.Api.Options;

/// <summary>Section <c>Operations</c>: the time limits of what a request asks for, and of what the server does by
/// itself.</summary>
internal sealed class OperationsOptions
{
    [Setting("time limit of an operation; past it the answer is TIMEOUT", Unit = "seconds", Min = 0.01, Max = 3600)]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("time limit of a simple operation, such as a look at a stream",
        Unit = "seconds", Min = 0.01, Max = 3600)]
    public TimeSpan SimpleTimeout { get; init; } = TimeSpan.FromSeconds(3);

    [Setting("time limit for the whole body of a request to arrive; past it the answer is TIMEOUT",
        Unit = "seconds", Min = 0.01, Max = 3600)]
    public TimeSpan BodyTimeout { get; init; } = TimeSpan.FromSeconds(30);

    [Setting("time limit of the start, storage's check included; past it the start is refused",
        Unit = "seconds", Min = 0.01, Max = 86_400)]
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(600);

    [Setting("share of a time limit after which a warning is logged", Unit = "percent", Min = 1, Max = 100)]
    public int WarnAtPercent { get; init; } = 80;

    [Setting("longest that ordinary events wait behind a durable batch; then it is void (STORE_UNAVAILABLE)",
        Unit = "seconds", Min = 0.01, Max = 60)]
    public TimeSpan VoidAfter { get; init; } = TimeSpan.FromSeconds(1);

    [Setting("time of rest after which the process gives memory back to the system, if it has made 32 MB of garbage "
        + "since it last did; 0: never", Unit = "seconds", Min = 0, Max = 86_400)]
    public TimeSpan TrimAfter { get; init; } = TimeSpan.FromSeconds(2);

    [Setting("largest heap that is looked through for that, since it stops all threads: some ms each 10 MB",
        Unit = "bytes", Min = 0)]
    public long TrimHeap { get; init; } = 512L << 20;
}

/// <summary>Section <c>Shutdown</c>: how a graceful stop goes.</summary>
internal sealed class ShutdownOptions
{
    [Setting("time for publishers to finish and readers to be told before connections are cut",
        Unit = "seconds", Min = 0, Max = 3600)]
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(10);

    [Setting("time limit for closing the streams after that; what is not closed by then is as after a crash",
        Unit = "seconds", Min = 0.01, Max = 3600)]
    public TimeSpan Close { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>Section <c>Cors</c>: which pages of other origins may use the API.</summary>
internal sealed class CorsOptions
{
    [Setting("origins whose pages may read and publish; * is any, without credentials")]
    public IReadOnlyList<string> Origins { get; init; } = [];
}
