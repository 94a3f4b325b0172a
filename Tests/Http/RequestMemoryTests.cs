using OrleansEvents.Api.Endpoints;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using Xunit;

namespace OrleansEvents.Tests.Http;

public sealed class RequestMemoryTests
{
    [Fact]
    public async Task A_body_that_is_refused_takes_no_room_from_one_that_fits()
    {
        using var meter = new ServerMeter();
        var memory = new RequestMemory(new LimitsOptions { RequestMemoryBytes = 4 << 20 }, meter);
        Assert.True(memory.TryTake(1));
        using var over = new CancellationTokenSource();
        var refused = Task.Run(() =>
        {
            while (!over.IsCancellationRequested) Assert.False(memory.TryTake(4 << 20));
        }, TestContext.Current.CancellationToken);
        for (var i = 0; i < 200_000; i++)
        {
            Assert.True(memory.TryTake(1));
            memory.Return(1);
        }
        await over.CancelAsync();
        await refused;
    }
}
