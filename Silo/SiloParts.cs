using OrleansEvents.Api;
using OrleansEvents.Api.Embedded;
using OrleansEvents.Api.Endpoints;
using OrleansEvents.Api.Health;
using OrleansEvents.Api.Options;
using OrleansEvents.Grains;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Silo.Database;
using OrleansEvents.Silo.Membership;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Streams;

namespace OrleansEvents.Silo;

/// <summary>Registers a node of the cluster: a silo, or an edge that is a client of silos.</summary>
internal static class SiloParts
{
    public static void AddTo(WebApplicationBuilder builder, ServerOptions options)
    {
        var services = builder.Services;
        var connection = ConnectionOf(options);
        services.AddHostedService(_ => new ProviderTables(connection.Providers));
        services.AddSingleton<IEventLog>(provider => OpenLog(options.Database, connection.Log,
            provider.GetRequiredService<StartNotes>()));
        if (options.Cluster.Role == ClusterRole.Edge) EdgeParts.AddTo(builder, options.Cluster, connection.Providers);
        else NodeParts.AddTo(builder, options, connection.Providers);
        services.AddClusterStreams(new NodeOptions
        {
            Defaults = EngineDefaults.Of(options.Streams),
            MemoryBytes = options.Limits.MemoryBytes,
            Streams = options.Limits.Streams,
            Placeholders = options.Limits.Placeholders,
            PatternStreams = options.Limits.PatternStreams,
        });
        // After the silo: it is stopped before it.
        services.AddHostedService<NodeLifetime>();
        services.AddSingleton<IClusterOverview, ClusterOverview>();
        services.AddHostedService<NodeReporter>();
    }

    private static (string Log, string Providers) ConnectionOf(ServerOptions options)
    {
        if (options.Storage.Store != StoreKind.Postgres)
            throw new StartRefusedException("--store: a cluster's events are in PostgreSQL");
        var given = options.Storage.Postgres
            ?? throw new StartRefusedException("--postgres: needs a connection string, for example "
                + "\"Host=127.0.0.1;Database=events;Username=events\"");
        try
        {
            var providers = PostgresConnection.Of(EmbeddedParts.PostgresOf(options.Database, given));
            // A few statements a second; prepared ones would outlive a change of the tables.
            (providers.MaxPoolSize, providers.MaxAutoPrepare) = (8, 0);
            return (given, providers.ConnectionString);
        }
        catch (Exception failure) when (failure is ArgumentException or FormatException or LogRefusedException)
        {
            throw new StartRefusedException($"--postgres: {failure.Message}", failure);
        }
    }

    private static PostgresEventLog OpenLog(DatabaseOptions options, string connection, StartNotes notes)
    {
        try
        {
            var log = PostgresEventLog.Start(EmbeddedParts.PostgresOf(options, connection));
            notes.Lines.Add((LogLevel.Information, $"Storage: {log.Found}"));
            return log;
        }
        catch (LogRefusedException failure)
        {
            throw new StartRefusedException(failure.Message, failure);
        }
    }
}
