namespace OrleansEvents.Api.Options;

/// <summary>Section <c>Limits</c>: the bound of everything that can grow. Each has an answer at the bound.</summary>
internal sealed class LimitsOptions
{
    [Setting("largest event, envelope included; a larger one is refused with EVENT_TOO_LARGE",
        Unit = "bytes", Min = 256, Max = 67_108_864)]
    public int EventBytes { get; init; } = 262_144;

    [Setting("largest body of a request; a larger one is refused with EVENT_TOO_LARGE",
        Unit = "bytes", Min = 1024, Max = 1_073_741_824)]
    public int RequestBytes { get; init; } = 8_388_608;

    [Setting("most events in one request; more are refused with EVENT_TOO_LARGE",
        Unit = "events", Min = 1, Max = 1_000_000)]
    public int RequestEvents { get; init; } = 10_000;

    [Setting("all buffers together; beyond it the idlest streams' buffers are evicted",
        Unit = "bytes", Min = 4_194_304, Max = 1_099_511_627_776)]
    public long MemoryBytes { get; init; } = 268_435_456;

    [Setting("bodies of requests held at once, all together; beyond it a request is refused with RATE_LIMITED",
        Unit = "bytes", Min = 4_194_304, Max = 1_099_511_627_776)]
    public long RequestMemoryBytes { get; init; } = 134_217_728;

    [Setting("what waits for readers that take nothing, all together; beyond it the one waited for longest "
        + "is closed (SLOW_CLIENT)", Unit = "bytes", Min = 4_194_304, Max = 1_099_511_627_776)]
    public long UnsentBytes { get; init; } = 134_217_728;

    [Setting("remembered publishers' keys of one stream; beyond it publishing with a key is refused",
        Unit = "keys", Min = 1, Max = 100_000_000)]
    public int KeysPerStream { get; init; } = 1_000_000;

    [Setting("streams open at once; beyond it idle ones are unloaded, then opening is refused with RATE_LIMITED",
        Unit = "streams", Min = 1, Max = 10_000_000)]
    public int Streams { get; init; } = 100_000;

    [Setting("streams that are read and do not exist yet; beyond it reading one is refused with RATE_LIMITED",
        Unit = "streams", Min = 1, Max = 10_000_000)]
    public int Placeholders { get; init; } = 10_000;

    [Setting("streams that one connection over patterns may match; beyond it the read is refused",
        Unit = "streams", Min = 1, Max = 100_000)]
    public int PatternStreams { get; init; } = 1000;

    [Setting("longest position of a read over many streams; beyond it the position is a server time",
        Unit = "bytes", Min = 64, Max = 16_384)]
    public int PositionBytes { get; init; } = 4096;

    [Setting("open connections; further ones are closed at once",
        Unit = "connections", Min = 1, Max = 10_000_000)]
    public int Connections { get; init; } = 18_000;

    [Setting("registered subscribers of one stream; beyond it registering is refused with RATE_LIMITED",
        Unit = "subscribers", Min = 1, Max = 1_000_000)]
    public int SubscribersPerStream { get; init; } = 10_000;

    [Setting("all headers of a request; larger ones are answered 431, a request line over half of it 414",
        Unit = "bytes", Min = 4096, Max = 1_048_576)]
    public int HeaderBytes { get; init; } = 32_768;
}
