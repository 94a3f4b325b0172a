using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

public sealed class InFlightTests
{
    [Fact]
    public async Task No_more_is_in_flight_than_allowed_and_acknowledgements_let_it_go_on_while_the_line_does_anyway()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"maxInFlight":2}""");
        await named.Mixed(1, 10);
        await using var reader = await named.Read();
        var first = await reader.Events(7);
        Assert.Equal([2, 4, 1, 3, 5, 7, 9], first.Numbers());
        await named.Mixed(11, 14);
        Assert.Equal([11, 13], (await reader.Events(2)).Numbers());
        Assert.Equal((7, 2), (await named.Number("pending"), await named.Number("inFlight")));

        await named.Ack(first[0].EventId());
        var sixth = await reader.Next(6);
        await named.Ordinary(15, 15);
        Assert.Equal([15], (await reader.Events(1)).Numbers());
        for (var waits = new Queue<SseFrame>([first[1], sixth]); waits.TryDequeue(out var next);)
        {
            await named.Ack(next.EventId());
            if (next.Number() < 12) waits.Enqueue((await reader.Events(1))[0]);
        }
        Assert.Equal(1.To(15), reader.Frames.Where(frame => frame.IsEvent).Numbers().Order());
        Assert.Equal([8, 10, 12, 14], reader.Frames.Where(frame => frame.IsEvent).Numbers().TakeLast(4));
        // And on the line again, now that there is room.
        Assert.Equal(0, await named.Number("pending"));
        await named.Critical(16, 16);
        Assert.NotNull((await reader.Next(16)).Id);
    }

    [Fact]
    public async Task What_waits_to_be_retried_counts_as_in_flight()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"maxInFlight":1,"maxAttempts":5}""");
        await named.Critical(1, 2);
        await using var reader = await named.Read();
        var first = (await reader.Events(1))[0];
        await named.NackFor(60, first.EventId());
        Assert.Empty(await reader.Before(server, 10));
        await named.NackFor(0, first.EventId());
        Assert.Equal(1, (await reader.Next(1, attempt: 2)).Number());
        await named.Ack(first.EventId());
        await reader.Next(2);
    }

    [Fact]
    public async Task A_poll_brings_no_more_than_may_be_in_flight()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"maxInFlight":3}""");
        await named.Critical(1, 5);
        var page = await named.Poll();
        Assert.Equal([1, 2, 3], page.NumbersOf());
        var next = await named.Poll($"after={page.Cursor()}");
        Assert.Equal([], next.NumbersOf());
        await named.Ack(page.IdsOf());
        Assert.Equal([4, 5], (await named.Poll($"after={next.Cursor()}")).NumbersOf());
    }
}
