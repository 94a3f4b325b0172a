using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

/// <summary>Polling as a subscriber.</summary>
public sealed class PollingTests
{
    [Fact]
    public async Task What_a_poll_brought_stays_in_flight_and_comes_again_with_its_attempt_when_its_time_is_over()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":60,"backoff":[0.001],"maxAttempts":3}""");
        await named.Mixed(1, 4);
        var first = await named.Poll();
        Assert.Equal([2, 4, 1, 3], first.NumbersOf());
        Assert.Equal([], (await named.Poll($"after={first.Cursor()}")).NumbersOf());
        Assert.Equal(2, await named.Number("inFlight"));
        await named.Nack(first.IdsOf()[0]);
        var second = await named.Poll($"after={first.Cursor()}&wait=30");
        var again = Assert.Single(second.GetProperty("events").EnumerateArray());
        Assert.Equal((first.IdsOf()[0], 2), (again.GetProperty("id").GetString(), again.Attempt()));
        Assert.Equal(first.Cursor(), second.Cursor());
        await named.Nack(first.IdsOf()[0]);
        Assert.Equal(3, (await named.Poll($"after={first.Cursor()}&wait=30")).GetProperty("events")[0].Attempt());
        Assert.Equal(["parked"], await named.Nack(first.IdsOf()[0]));
        Assert.Equal([2], await named.Dead(1));
    }

    [Fact]
    public async Task A_poll_that_waits_is_woken_by_a_redelivery()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.3,"backoff":[0.001],"maxAttempts":9}""");
        await named.Critical(1, 1);
        var cursor = (await named.Poll()).Cursor();
        for (var attempt = 2; attempt <= 4; attempt++)
        {
            var page = await named.Poll($"after={cursor}&wait=30");
            Assert.Equal(attempt, Assert.Single(page.GetProperty("events").EnumerateArray()).Attempt());
        }
    }

    [Fact]
    public async Task A_poll_that_waits_is_woken_by_what_is_owed_newly()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Critical(1, 1);
        var cursor = (await named.Poll()).Cursor();
        var waiting = named.Poll($"after={cursor}&wait=30");
        await Eventually.True(async () => await named.Number("connections") == 1);
        await named.Critical(2, 2);
        var page = await waiting;
        Assert.Equal([2], page.NumbersOf());
        await named.Ack((await named.Pending()).IdsOf());
        Assert.Equal([], (await named.Poll($"after={page.Cursor()}")).NumbersOf());
        Assert.Equal([], (await named.Poll("after=0")).NumbersOf());
    }

    [Fact]
    public async Task Whoever_changes_between_polling_and_a_connection_is_owed_what_is_left_and_sees_no_ordinary_twice()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"ackWait":0.2,"backoff":[0.01],"maxAttempts":100}""");
        var (ordinary, critical, cursor) = (new List<int>(), new HashSet<int>(), "0");
        var acknowledged = new HashSet<int>();
        for (var round = 0; round < 8; round++)
        {
            await named.Mixed(round * 4 + 1, round * 4 + 4);
            List<(int Number, string Id)> seen;
            if (round % 2 == 0)
            {
                var page = await named.Poll($"after={cursor}");
                (seen, cursor) = ([.. page.NumbersOf().Zip(page.IdsOf())], page.Cursor());
            }
            else
            {
                await using var reader = await named.Read($"after={cursor}");
                await reader.Next(round * 4 + 3);
                (seen, cursor) = ([.. reader.Frames.Where(frame => frame.IsEvent)
                    .Select(frame => (frame.Number(), frame.EventId()))], reader.LastId!);
            }
            Assert.DoesNotContain(seen, each => acknowledged.Contains(each.Number));
            ordinary.AddRange(seen.Where(each => each.Number % 2 == 1).Select(each => each.Number));
            critical.UnionWith(seen.Where(each => each.Number % 2 == 0).Select(each => each.Number));
            var some = seen.Where(each => each.Number % 4 == 0).ToList();
            if (some.Count > 0) await named.Ack(some.Select(each => each.Id));
            acknowledged.UnionWith(some.Select(each => each.Number));
        }
        Assert.Equal(1.To(32).Where(i => i % 2 == 1), ordinary);
        await Eventually.True(async () =>
        {
            var page = await named.Poll($"after={cursor}");
            critical.UnionWith(page.NumbersOf());
            return critical.Count == 16;
        });
    }
}
