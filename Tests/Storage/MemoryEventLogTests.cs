using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

public sealed class MemoryEventLogTests : EventLogContract
{
    protected override Task<IEventLog> Make() => Task.FromResult<IEventLog>(new MemoryEventLog());
}
