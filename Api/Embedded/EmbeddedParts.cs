using System.Security.Cryptography;
using OrleansEvents.Api.Health;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Sse;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Storage.Sqlite;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>Registers the engine of one process and its store.</summary>
internal static class EmbeddedParts
{
    public static void AddTo(IServiceCollection services, ServerOptions options)
    {
        services.AddSingleton(provider => OpenLog(options, provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<StartNotes>()));
        services.AddSingleton(provider => new EmbeddedStreams(ContextOf(provider, options), new EngineLimits(
            options.Limits.MemoryBytes, options.Limits.Streams, options.Limits.Placeholders,
            options.Limits.PatternStreams, options.Limits.SubscribersPerStream)));
        services.AddSingleton<IEventStreams>(provider => provider.GetRequiredService<EmbeddedStreams>());
        services.AddHostedService<EngineLifetime>();
    }

    private static EngineContext ContextOf(IServiceProvider provider, ServerOptions options) => new(
        provider.GetRequiredService<IEventLog>(),
        provider.GetRequiredService<StoreCircuit>(),
        new FeedMemory(),
        EngineDefaults.Of(options.Streams),
        EngineDefaults.LimitsOf(options),
        EngineDefaults.Of(options.Subscribers),
        EngineDefaults.LimitsOf(options.Subscribers),
        provider.GetRequiredService<TimeProvider>(),
        () => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)),
        provider.GetRequiredService<ILogger<EmbeddedStreams>>(),
        provider.GetRequiredService<ServerMeter>(),
        provider.GetRequiredService<Operations>())
    {
        Totals = provider.GetRequiredService<SubscriberTotals>(),
    };

    private static IEventLog OpenLog(ServerOptions options, TimeProvider time, StartNotes notes)
    {
        try
        {
            return options.Storage.Store switch
            {
                StoreKind.Memory => new MemoryEventLog(),
                StoreKind.Postgres => OpenPostgres(options, notes),
                _ => OpenSqlite(options.Storage, time, notes),
            };
        }
        catch (LogRefusedException refused)
        {
            throw new StartRefusedException(refused.Message, refused);
        }
    }

    private static SqliteEventLog OpenSqlite(StorageOptions options, TimeProvider time, StartNotes notes)
    {
        if (options.Repair && SqliteRepair.Run(options.Data, time) is { } summary)
            notes.Lines.Add((LogLevel.Warning, $"Storage repaired: {summary}"));
        var log = SqliteEventLog.Start(new SqliteOptions { Folder = options.Data }, time);
        notes.Lines.Add((LogLevel.Information, $"Storage: {log.Found}"));
        return log;
    }

    private static PostgresEventLog OpenPostgres(ServerOptions options, StartNotes notes)
    {
        var connection = options.Storage.Postgres
            ?? throw new StartRefusedException("--store postgres: needs --postgres with a connection string");
        var log = PostgresEventLog.Start(PostgresOf(options.Database, connection));
        notes.Lines.Add((LogLevel.Information, $"Storage: {log.Found}"));
        if (log.IsShared)
            notes.Lines.Add((LogLevel.Warning, "Another server is connected to the same tables. Each takes the other's "
                + "streams from it: only the nodes of one cluster may share a database"));
        return log;
    }

    /// <summary>The settings of the database as storage takes them.</summary>
    public static PostgresOptions PostgresOf(DatabaseOptions options, string connection) => new()
    {
        Connection = connection,
        Writers = options.Writers,
        Connections = options.Connections,
        StatementTimeout = options.StatementTimeout,
        CancelTimeout = options.CancelTimeout,
        ConnectTimeout = options.ConnectTimeout,
        RecheckServers = options.RecheckServers,
        GroupWrites = options.GroupWrites,
        GroupBytes = options.GroupBytes,
    };
}
