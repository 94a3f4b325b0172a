using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

public sealed class SqliteEventLogTests : EventLogContract
{
    private readonly DataFolder _folder = new();

    protected override Task<IEventLog> Make() => Task.FromResult<IEventLog>(_folder.Start());

    protected override ValueTask Clean()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}
