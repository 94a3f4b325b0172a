namespace OrleansEvents.Api.Options;

internal enum ClusterRole
{
    Node,
    Edge,
}

/// <summary>Section <c>Cluster</c>: how nodes find each other, and how soon one that is gone is missed. Only
/// <c>Silo</c> goes by it.</summary>
internal sealed class ClusterOptions
{
    /// <summary>In <see cref="Advertise"/>: whatever address this machine has.</summary>
    public const string Auto = "auto";

    /// <summary>In <see cref="Listen"/>: the address that is advertised.</summary>
    public const string Advertised = "advertised";

    /// <summary>In <see cref="StreamProvider"/>: there is none.</summary>
    public const string None = "none";

    [Setting("nodes with the same name over the same database are one cluster. Short: --cluster-id")]
    public string Id { get; init; } = "events";

    [Setting("node: owns streams and serves HTTP; edge: serves HTTP only, for more readers. Short: --role")]
    public ClusterRole Role { get; init; } = ClusterRole.Node;

    [Setting("port for the other nodes; 0: any that is free. Short: --silo-port", Unit = "port", Max = 65_535)]
    public int SiloPort { get; init; } = 11_111;

    [Setting("port for edges; 0: any that is free. Short: --gateway-port", Unit = "port", Max = 65_535)]
    public int GatewayPort { get; init; } = 30_000;

    [Setting("address or name at which the other nodes reach this one; auto: the machine's own. Short: --advertise")]
    public string Advertise { get; init; } = "127.0.0.1";

    [Setting("address to listen on for the other nodes; advertised: only that one")]
    public string Listen { get; init; } = Advertised;

    [Setting("how often a node is probed by others; one that does not answer within as long has missed it",
        Unit = "seconds", Min = 0.1, Max = 60)]
    public TimeSpan ProbeEvery { get; init; } = TimeSpan.FromSeconds(1);

    [Setting("probes in a row that a node may miss before it is suspected", Unit = "probes", Min = 1, Max = 100)]
    public int MissedProbes { get; init; } = 2;

    [Setting("nodes that must suspect one before it is declared dead", Unit = "nodes", Min = 1, Max = 10)]
    public int Votes { get; init; } = 1;

    [Setting("how often a node looks at the table of all, should it have missed the word of another",
        Unit = "seconds", Min = 0.1, Max = 600)]
    public TimeSpan RefreshEvery { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("how often a node writes down that it lives", Unit = "seconds", Min = 0.1, Max = 600)]
    public TimeSpan AliveEvery { get; init; } = TimeSpan.FromSeconds(2);

    [Setting("times that a node may fail to write that it lives; then one that starts declares it dead, if it does "
        + "not take connections either", Unit = "times", Min = 1, Max = 1000)]
    public int MissedAlive { get; init; } = 3;

    [Setting("longest that a node tries to reach all others before its start is refused",
        Unit = "seconds", Min = 1, Max = 3600)]
    public TimeSpan JoinTimeout { get; init; } = TimeSpan.FromSeconds(30);

    [Setting("longest that a node goes a stream's ways for practice before it is ready; 0: it does not",
        Unit = "seconds", Max = 600)]
    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(5);

    [Setting("longest that a call to another node may take", Unit = "seconds", Min = 1, Max = 600)]
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(6);

    [Setting("how often a node asks storage whether it takes writes", Unit = "seconds", Min = 0.1, Max = 300)]
    public TimeSpan StoreProbeEvery { get; init; } = TimeSpan.FromSeconds(2);

    [Setting("how often a node says to the others what it owns and who reads there, for /api/admin/nodes",
        Unit = "seconds", Min = 0.1, Max = 300)]
    public TimeSpan ReportEvery { get; init; } = TimeSpan.FromSeconds(2);

    [Setting("how often a subscriber with a webhook is reminded that it has one, should its node have died",
        Unit = "seconds", Min = 1, Max = 3600)]
    public TimeSpan RemindEvery { get; init; } = TimeSpan.FromSeconds(60);

    [Setting("a grain without a stream that nobody uses for so long is dropped", Unit = "seconds", Min = 120,
        Max = 86_400)]
    public TimeSpan CollectAfter { get; init; } = TimeSpan.FromSeconds(600);

    [Setting("dead nodes stay in the table of all for so long", Unit = "seconds", Min = 60, Max = 31_536_000)]
    public TimeSpan ForgetAfter { get; init; } = TimeSpan.FromDays(1);

    [Setting("name of the Orleans stream provider by which grains publish to event streams and follow them; none: "
        + "there is none")]
    public string StreamProvider { get; init; } = "events";

    [Setting("the calls between nodes are spans too; costs about a fifth of the calls between them")]
    public bool Traces { get; init; }
}
