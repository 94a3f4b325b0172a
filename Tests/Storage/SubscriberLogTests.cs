using OrleansEvents.Storage.Memory;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

public sealed class MemorySubscriberLogTests : SubscriberLogContract
{
    protected override Task<IEventLog> Make() => Task.FromResult<IEventLog>(new MemoryEventLog());
}

public sealed class PostgresSubscriberLogTests(PostgresServer server) : SubscriberLogContract
{
    private PostgresOptions? _options;

    protected override async Task<IEventLog> Make() =>
        PostgresEventLog.Start(_options = await server.NewSchema());

    protected override ValueTask Clean() => PostgresServer.Drop(_options!);
}
