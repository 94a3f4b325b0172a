using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

/// <summary>What a subscriber is owed: from where, of which types, and ordinary events too.</summary>
public sealed class OwedTests
{
    [Fact]
    public async Task All_that_is_retained_what_is_new_or_what_lies_behind_a_cursor()
    {
        await using var server = await TestServer.StartOnDisk();
        var all = new Named(server, name: "all");
        await all.Critical(1, 4);
        var second = (await server.Poll("s")).IdsOf()[1];
        foreach (var (name, from) in new[] { ("all", "all"), ("new", "new"), ("cursor", second) })
            await new Named(server, name: name).Set($$"""{"from":"{{from}}"}""");
        await all.Critical(5, 5);
        for (var start = 0; start < 2; start++)
        {
            Assert.Equal([1, 2, 3, 4, 5], (await all.Pending()).NumbersOf());
            Assert.Equal([5], (await new Named(server, name: "new").Pending()).NumbersOf());
            Assert.Equal([3, 4, 5], (await new Named(server, name: "cursor").Pending()).NumbersOf());
            await server.Restart();
        }
        // What was not owed is on the line, as for anybody.
        await using var reader = await new Named(server, name: "new").Read("after=0");
        Assert.Equal([5, 1, 2, 3, 4], (await reader.Events(5)).Numbers());
    }

    [Fact]
    public async Task Types_filter_what_is_owed_and_what_is_read_for_events_stored_before_a_restart_too()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Set("""{"types":["x","é"]}""");
        await named.Critical(1, 1, "x");
        await named.Critical(2, 2, "y");
        await named.Critical(3, 3, "é");
        await named.Ordinary(4, 4, "y");
        await named.Ordinary(5, 5, "x");
        Assert.Equal([1, 3], (await named.Pending()).NumbersOf());
        await server.Restart();
        Assert.Equal([1, 3], (await named.Pending()).NumbersOf());
        await named.Critical(6, 6, "y");
        await named.Critical(7, 7, "x");
        await using var reader = await named.Read();
        Assert.Equal(3, (await reader.Next("connected")).Json.GetProperty("pending").GetInt32());
        Assert.Equal([1, 3, 7, 5], (await reader.Events(4)).Numbers());
        await named.Critical(8, 8, "y");
        await named.Ordinary(9, 9, "y");
        await named.Critical(10, 10, "é");
        Assert.Equal([10], (await reader.Events(1)).Numbers());
        Assert.Equal([], (await named.Poll("after=0")).NumbersOf().Except([1, 3, 5, 7, 10]));
    }

    [Fact]
    public async Task Who_registers_later_is_owed_of_its_types_alone_what_others_left()
    {
        await using var server = await TestServer.StartOnDisk();
        var first = new Named(server);
        await first.Critical(1, 2, "x");
        await first.Critical(3, 4, "y");
        var named = new Named(server, name: "b");
        await named.Set("""{"types":["y"]}""");
        Assert.Equal([3, 4], (await named.Pending()).NumbersOf());
    }

    [Fact]
    public async Task An_open_connection_ends_when_the_filter_changes_and_comes_back_to_the_new_one()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("""{"types":["x"]}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        await named.Set("""{"types":["y"]}""");
        await reader.Rest();
        await using var again = await named.Read();
        await again.Next("connected");
        await named.Critical(1, 1, "x");
        await named.Critical(2, 2, "y");
        await named.Ordinary(3, 3, "x");
        await named.Ordinary(4, 4, "y");
        Assert.Equal([2, 4], (await again.Events(2)).Numbers());
    }

    [Fact]
    public async Task What_a_narrower_filter_leaves_out_is_owed_no_more()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Set("{}");
        await named.Critical(1, 1, "x");
        await named.Critical(2, 2, "y");
        await named.Set("""{"types":["y"]}""");
        Assert.Equal([2], (await named.Pending()).NumbersOf());
        await server.Restart();
        Assert.Equal([2], (await named.Pending()).NumbersOf());
    }

    [Fact]
    public async Task A_wider_filter_is_owed_the_same_before_a_restart_and_after()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Set("""{"types":["x"]}""");
        for (var i = 1; i <= 6; i++) await named.Critical(i, i, i % 2 == 0 ? "y" : "x");
        await named.Set("""{"types":[]}""");
        await named.Critical(7, 8, "y");
        for (var start = 0; start < 2; start++)
        {
            Assert.Equal([1, 3, 5, 7, 8], (await named.Pending()).NumbersOf());
            await server.Restart();
        }
    }

    [Fact]
    public async Task Ordinary_events_are_owed_for_a_while()
    {
        await using var server = await TestServer.Start("--Subscribers:OrdinaryAge", "2");
        var named = new Named(server);
        await named.Set("""{"owed":"all","ackWait":0.05,"backoff":[0.001],"maxAttempts":100}""");
        await using var reader = await named.Read();
        await reader.Next("connected");
        await named.Ordinary(1, 2);
        await named.Critical(3, 3);
        Assert.Equal([1, 2, 3], (await named.Pending()).NumbersOf());
        var first = await reader.Next(1, attempt: 1);
        Assert.NotNull(first.Id);
        Assert.Null((await reader.Next(1, attempt: 2)).Id);
        Assert.Equal(["acknowledged"], await named.Ack(first.EventId()));
        // The second is given up by its age, without a trace.
        await Eventually.True(async () => (await named.Pending()).NumbersOf() is [3]);
        Assert.Equal(0, await named.Number("deadLetters"));
        Assert.Equal(1, await named.Statistic("abandoned"));
    }

    [Fact]
    public async Task Ordinary_events_are_owed_in_memory_only_though_a_stop_keeps_the_buffer()
    {
        await using var server = await TestServer.StartOnDisk();
        var named = new Named(server);
        await named.Set("""{"owed":"all"}""");
        await named.Ordinary(1, 2);
        await named.Critical(3, 3);
        Assert.Equal([1, 2, 3], (await named.Pending()).NumbersOf());
        await server.Restart();
        Assert.Equal([3], (await named.Pending()).NumbersOf());
        await named.Ordinary(4, 4);
        Assert.Equal([3, 4], (await named.Pending()).NumbersOf());
        // They are on the line, as for anybody.
        await using var reader = await named.Read("after=0");
        Assert.Equal([3, 4, 1, 2], (await reader.Events(4)).Numbers());
    }

    [Fact]
    public async Task Ordinary_events_are_owed_no_longer_than_the_buffer_holds_them()
    {
        await using var server = await TestServer.Start();
        await server.Configure("s", """{"buffer":2}""");
        var named = new Named(server);
        await named.Set("""{"owed":"all"}""");
        await named.Ordinary(1, 3);
        await named.Critical(4, 4);
        await named.Ordinary(5, 6);
        await using var reader = await named.Read("after=$");
        Assert.Equal([4, 5, 6], (await reader.Events(3)).Numbers());
        Assert.Equal([4, 5, 6], (await named.Pending()).NumbersOf());
        Assert.Equal(3, await named.Number("pending"));
    }

    [Fact]
    public async Task On_a_durable_stream_ordinary_events_are_owed_as_critical_ones()
    {
        await using var server = await TestServer.StartOnDisk("--Subscribers:OrdinaryAge", "0.05");
        await server.Configure("s", """{"durable":true,"buffer":1}""");
        var named = new Named(server);
        await named.Ordinary(1, 2);
        await named.Set("""{"owed":"all","maxAttempts":2,"ackWait":0.05,"backoff":[0.001]}""");
        await named.Ordinary(3, 4);
        await named.Critical(5, 5);
        await server.Restart();
        Assert.Equal([1, 2, 3, 4, 5], (await named.Pending()).NumbersOf());
        await using var reader = await named.Read();
        Assert.Equal([1, 2, 3, 4, 5], (await reader.Events(5)).Numbers());
        Assert.Equal([1, 2, 3, 4, 5], await named.Dead(5));
    }

    [Fact]
    public async Task Who_is_owed_all_from_now_on_misses_no_ordinary_event_of_before()
    {
        await using var server = await TestServer.Start();
        var named = new Named(server);
        await named.Set("{}");
        await named.Ordinary(1, 2);
        await named.Critical(3, 3);
        await named.Set("""{"owed":"all"}""");
        await using (var first = await named.Read()) await named.Ack((await first.Events(3)).EventIds());
        await using var reader = await named.Read("after=0");
        Assert.Equal([1, 2], (await reader.Before(server, 4)).Numbers());
    }
}
