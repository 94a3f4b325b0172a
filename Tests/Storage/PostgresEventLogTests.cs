using OrleansEvents.Storage.Postgres;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

public sealed class PostgresEventLogTests(PostgresServer server) : EventLogContract
{
    private PostgresOptions? _options;

    protected override async Task<IEventLog> Make() =>
        PostgresEventLog.Start(_options = await server.NewSchema());

    protected override ValueTask Clean() => PostgresServer.Drop(_options!);
}
