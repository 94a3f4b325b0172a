namespace OrleansEvents.Api.Options;

/// <summary>Section <c>Sse</c>: how open connections are kept and how they end.</summary>
internal sealed class SseOptions
{
    [Setting("time between heartbeat frames when the reader asks for none itself",
        Unit = "seconds", Min = 0.1, Max = 300)]
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(10);

    [Setting("shortest heartbeat that a reader may ask for", Unit = "seconds", Min = 0.01, Max = 300)]
    public TimeSpan HeartbeatMin { get; init; } = TimeSpan.FromSeconds(0.1);

    [Setting("longest heartbeat that a reader may ask for", Unit = "seconds", Min = 0.1, Max = 3600)]
    public TimeSpan HeartbeatMax { get; init; } = TimeSpan.FromSeconds(300);

    [Setting("silence after which a comment keeps the connection open", Unit = "seconds", Min = 0.1, Max = 3600)]
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(30);

    [Setting("a reader that takes nothing for so long is told (SLOW_CLIENT) and closed",
        Unit = "seconds", Min = 0.1, Max = 3600)]
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(30);

    [Setting("time between ping frames to readers that asked for them (pong=true)",
        Unit = "seconds", Min = 0.1, Max = 3600)]
    public TimeSpan Ping { get; init; } = TimeSpan.FromSeconds(30);

    [Setting("a ping without a pong for so long: the reader is told (STALE_CONNECTION) and closed",
        Unit = "seconds", Min = 0.1, Max = 3600)]
    public TimeSpan PongTimeout { get; init; } = TimeSpan.FromSeconds(10);

    [Setting("frames beside the line that wait for a reader; beyond it the oldest is dropped, and one asked for is "
        + "refused with RATE_LIMITED", Unit = "frames", Min = 1, Max = 10_000)]
    public int Notices { get; init; } = 16;

    [Setting("clients (client=) whose reconnects are counted; beyond it the one that was away longest is forgotten",
        Unit = "clients", Min = 1, Max = 10_000_000)]
    public int Clients { get; init; } = 10_000;

    [Setting("troubles of connections told one by one on $system in each Sse:TroubleWindow, for each code; the rest "
        + "are one event with their count", Unit = "events", Min = 0, Max = 100_000)]
    public int Troubles { get; init; } = 10;

    [Setting("time over which the troubles of connections are counted for $system",
        Unit = "seconds", Min = 0.1, Max = 3600)]
    public TimeSpan TroubleWindow { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("time between log lines that count pings, stale connections, disconnects; none when nothing happened",
        Unit = "seconds", Min = 0.1, Max = 86_400)]
    public TimeSpan HealthLog { get; init; } = TimeSpan.FromSeconds(60);

    [Setting("time that readers are told to wait before they come back; jittered per connection",
        Unit = "seconds", Min = 0.01, Max = 300)]
    public TimeSpan Retry { get; init; } = TimeSpan.FromSeconds(2);

    [Setting("straight to the socket of a plain HTTP/1.1 connection; false: always by the server's pipe")]
    public bool DirectSend { get; init; } = true;

    [Setting("most of the processors' time that is spent on sending what is owed beside the lines; what is due waits, "
        + "so that other streams are not held up", Unit = "percent", Min = 1, Max = 100)]
    public int OwedShare { get; init; } = 20;

    [Setting("most sent to one connection before the next has its turn", Unit = "bytes", Min = 1024, Max = 16_777_216)]
    public int MaxSendBytes { get; init; } = 65_536;
}
