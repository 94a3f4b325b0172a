using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrleansEvents.Tests.Host;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

public sealed class StatisticsTests
{
    [Fact]
    public async Task A_subscriber_counts_what_was_queued_retried_succeeded_and_abandoned()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[60],"maxAttempts":2}""");
        await named.Critical(1, 3);
        await using (var reader = await named.Read())
        {
            var ids = (await reader.Events(3)).EventIds().ToArray();
            Assert.Equal("0 0 0 0 0", await named.Statistics());
            await named.Nack(ids);
            Assert.Equal("3 0 0 0 3", await named.Statistics());
            await named.NackFor(0, ids[..2]);
            await reader.Next(2, attempt: 2);
            await Eventually.True(async () => await named.Statistics() == "3 2 0 0 1");
            await named.Ack(ids[0]);
            Assert.Equal(["parked"], await named.Nack(ids[1]));
            await named.Dead(1);
            Assert.Equal("3 2 1 1 1", await named.Statistics());
        }
        await server.Restart();
        Assert.StartsWith("3 2 1 1 ", await named.Statistics(), StringComparison.Ordinal);
        Assert.Equal((1, 1), (await named.Number("pending"), await named.Number("deadLetters")));
    }

    [Fact]
    public async Task The_log_counts_retries_from_time_to_time()
    {
        var log = new LogLines();
        await using var server = await TestServer.StartWith(
            services => services.AddSingleton<ILoggerProvider>(log), "--Sse:HealthLog", "0.1",
            "--Logging:LogLevel:OrleansEvents", "Information");
        var named = new Named(server);
        await named.Set("{}");
        await named.Critical(1, 1);
        var id = (await named.Poll()).IdsOf();
        await named.NackFor(0, id);
        Assert.Equal(id, (await named.Poll("after=$&wait=30")).IdsOf());
        await Reading.Given.Until(() => log.AtLeast(LogLevel.Information).Any(line =>
            line.Contains("1 retries processed", StringComparison.Ordinal)));
    }
}
