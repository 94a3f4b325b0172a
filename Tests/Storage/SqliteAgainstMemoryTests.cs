using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

public sealed class SqliteAgainstMemoryTests : LogAgainstMemory, IDisposable
{
    private readonly DataFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    protected override Task<IEventLog> Make() => Task.FromResult<IEventLog>(_folder.Start());
}
