using OrleansEvents.Storage.Postgres;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

public sealed class PostgresAgainstMemoryTests(PostgresServer server) : LogAgainstMemory, IAsyncDisposable
{
    private PostgresOptions? _options;

    public ValueTask DisposeAsync() => _options is null ? ValueTask.CompletedTask : PostgresServer.Drop(_options);

    protected override async Task<IEventLog> Make() => PostgresEventLog.Start(_options = await server.NewSchema());
}
