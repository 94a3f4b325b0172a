using OrleansEvents.Storage.Postgres;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>A log over a schema of its own, for what is PostgreSQL's own.</summary>
public abstract class PostgresLogOnSchema(PostgresServer server) : IAsyncLifetime
{
    protected PostgresServer Server => server;

    protected PostgresOptions Options { get; private set; } = null!;

    protected PostgresEventLog Log { get; set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Options = await server.NewSchema();
        Log = PostgresEventLog.Start(Options);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Log is null) return;
        await Log.DisposeAsync();
        await PostgresServer.Drop(Options);
    }
}
