namespace OrleansEvents.Api.Options;

/// <summary>All settings of a server, a section a property. Bound once at the start, then never changed.</summary>
internal sealed class ServerOptions
{
    public const string DefaultUrls = "http://127.0.0.1:5080";

    [Setting("addresses to listen on, separated by ;. Short: --urls")]
    public string Urls { get; init; } = DefaultUrls;

    public LimitsOptions Limits { get; init; } = new();
    public SseOptions Sse { get; init; } = new();
    public StreamsOptions Streams { get; init; } = new();
    public SubscribersOptions Subscribers { get; init; } = new();
    public OperationsOptions Operations { get; init; } = new();
    public ShutdownOptions Shutdown { get; init; } = new();
    public CorsOptions Cors { get; init; } = new();
    public WebhooksOptions Webhooks { get; init; } = new();
    public StorageOptions Storage { get; init; } = new();
    public DatabaseOptions Database { get; init; } = new();
    public TelemetryOptions Telemetry { get; init; } = new();
    public ClusterOptions Cluster { get; init; } = new();

    public void AddTo(IServiceCollection services) => services
        .AddSingleton(this)
        .AddSingleton(Limits)
        .AddSingleton(Sse)
        .AddSingleton(Streams)
        .AddSingleton(Subscribers)
        .AddSingleton(Operations)
        .AddSingleton(Shutdown)
        .AddSingleton(Cors)
        .AddSingleton(Webhooks)
        .AddSingleton(Storage)
        .AddSingleton(Database)
        .AddSingleton(Telemetry)
        .AddSingleton(Cluster);
}
