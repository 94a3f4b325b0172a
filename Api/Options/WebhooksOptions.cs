namespace OrleansEvents.Api.Options;

/// <summary>Section <c>Webhooks</c>: how events are pushed to subscribers' endpoints, and to which.</summary>
internal sealed class WebhooksOptions
{
    [Setting("whether endpoints may be at private, loopback or otherwise special addresses; also allows http")]
    public bool AllowPrivateAddresses { get; init; }

    [Setting("whether an endpoint's url may be http; false: only https")]
    public bool AllowHttp { get; init; }

    [Setting("requests under way at once; further ones wait, endpoints taking turns",
        Unit = "requests", Min = 1, Max = 65_536)]
    public int Concurrency { get; init; } = 256;

    [Setting("requests to one endpoint under way at once; it begins with one, which a failure brings it back to",
        Unit = "requests", Min = 1, Max = 1024)]
    public int EndpointConcurrency { get; init; } = 8;

    [Setting("open connections, idle ones included; beyond it a request closes its own",
        Unit = "connections", Min = 1, Max = 1_000_000)]
    public int Connections { get; init; } = 512;

    [Setting("time for a connection to be made, TLS included", Unit = "seconds", Min = 0.01, Max = 300)]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("most that is read of an answer's body, and thrown away; beyond it the connection is closed",
        Unit = "bytes", Min = 0, Max = 16_777_216)]
    public int AnswerBytes { get; init; } = 65_536;

    [Setting("longest Retry-After that is kept to", Unit = "seconds", Min = 0, Max = 604_800)]
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromHours(1);

    [Setting("consecutive failures of an endpoint that open its circuit", Unit = "failures", Min = 1, Max = 1_000_000)]
    public int CircuitFailures { get; init; } = 5;

    [Setting("time that an endpoint's circuit stays open before one event is tried; doubled by each failure",
        Unit = "seconds", Min = 0.01, Max = 86_400)]
    public TimeSpan CircuitOpen { get; init; } = TimeSpan.FromSeconds(30);

    [Setting("longest time that an endpoint's circuit stays open", Unit = "seconds", Min = 0.01, Max = 86_400)]
    public TimeSpan CircuitOpenMax { get; init; } = TimeSpan.FromMinutes(5);

    [Setting("an endpoint that only fails for so long is switched off and told of (WEBHOOK_DISABLED)",
        Unit = "seconds", Min = 0.01, Max = 31_536_000)]
    public TimeSpan DisableAfter { get; init; } = TimeSpan.FromDays(5);

    [Setting("time after which a subscriber that is owed nothing no longer keeps its stream in memory",
        Unit = "seconds", Min = 0.01, Max = 86_400)]
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromSeconds(10);
}
