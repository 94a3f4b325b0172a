using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster;

public sealed class FollowTests(TwoSilos cluster)
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_node_s_reader_sees_all_in_order_wherever_the_owner_is(int owner)
    {
        var name = await cluster.StreamOwnedBy(owner);
        await Publish(name, 0);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Beginning);
        for (var i = 1; i <= 300; i++) await Publish(name, i, critical: i % 50 == 0);

        await reader.Has(300);
        Assert.Equal(Enumerable.Range(0, 301), reader.Numbers);
        Assert.Empty(reader.Gaps);
    }

    [Fact]
    public async Task Readers_of_one_node_share_one_tap_and_are_counted_at_the_owner()
    {
        var name = await cluster.StreamOwnedBy(0);
        await Publish(name, 0);
        using var first = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        using var second = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);

        Assert.Same(first.Feed, second.Feed);
        var described = await Owner(name).Describe();
        Assert.Equal((1, 2), (described.Ok().Taps, described.Ok().Readers));
    }

    [Fact]
    public async Task A_cursor_that_was_given_on_one_node_is_known_on_every_other()
    {
        var name = await cluster.StreamOwnedBy(0);
        await Publish(name, 0);
        using var slow = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        // The node's copy is not told what comes, until somebody needs to know.
        cluster.Calls.OnPush(name, _ => Task.FromResult(false));
        var last = await Publish(name, 1);

        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.After(last));
        Assert.Empty(reader.Gaps);
        Assert.Equal(last, reader.Position);
    }

    [Fact]
    public async Task Pushes_that_are_lost_are_made_good_and_cost_readers_no_gap()
    {
        var name = await cluster.StreamOwnedBy(0);
        await Publish(name, 0);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        var pushes = 0;
        cluster.Calls.OnPush(name, _ => Task.FromResult(Interlocked.Increment(ref pushes) % 3 != 0));
        for (var i = 1; i <= 60; i++) await Publish(name, i);

        await reader.Has(60);
        Assert.Equal(Enumerable.Range(0, 61), reader.Numbers);
        Assert.Empty(reader.Gaps);
    }

    [Fact]
    public async Task A_push_that_comes_late_is_dropped()
    {
        var name = await cluster.StreamOwnedBy(0);
        await Publish(name, 0);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        var (held, release) = (0, new TaskCompletionSource<bool>());
        cluster.Calls.OnPush(name, _ => Interlocked.Increment(ref held) == 1 ? release.Task : Task.FromResult(true));
        for (var i = 1; i <= 5; i++) await Publish(name, i);
        // Whoever comes makes the copy read on from the owner, past the push that is held.
        using (await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer)) await reader.Has(5);
        release.SetResult(true);
        await Publish(name, 6);

        await reader.Has(6);
        Assert.Equal(Enumerable.Range(0, 7), reader.Numbers);
        Assert.Empty(reader.Gaps);
    }

    [Fact]
    public async Task A_copy_that_fell_behind_the_owner_s_buffer_tells_its_readers_how_many_they_missed()
    {
        var name = await cluster.StreamOwnedBy(0);
        (await cluster.Node(1).Configure(name, """{"buffer":10,"bufferBytes":4096}"""u8.ToArray(), default)).Ok();
        await Publish(name, 0);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        await reader.Has(0);
        var release = new TaskCompletionSource<bool>();
        cluster.Calls.OnPush(name, _ => release.Task);
        for (var i = 1; i <= 200; i++) await Publish(name, i);
        release.SetResult(true);

        await reader.Has(200);
        Assert.Equal(reader.Numbers.Order().Distinct(), reader.Numbers);
        Assert.All(reader.Gaps, reason => Assert.Equal(GapReason.Slow, reason));
        Assert.Equal(201, reader.Numbers.Length + reader.Missed);
    }

    [Fact]
    public async Task A_copy_keeps_the_owner_s_bounds_and_takes_them_when_they_change()
    {
        var name = await cluster.StreamOwnedBy(0);
        for (var i = 0; i < 20; i++) await Publish(name, i);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        Assert.Equal(20, reader.Feed.Count);

        (await cluster.Node(1).Configure(name, """{"buffer":5}"""u8.ToArray(), default)).Ok();

        await Given.Until(() => Task.FromResult(reader.Feed.Count == 5));
        Assert.Equal((await Owner(name).Describe()).Ok().Floor, reader.Feed.Floor);
    }

    [Fact]
    public async Task A_planned_move_keeps_readers_connected_and_makes_no_gap()
    {
        var name = await cluster.StreamOwnedBy(0);
        await Publish(name, 0);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        for (var i = 1; i <= 30; i++)
        {
            if (i % 10 == 0) await cluster.Deactivate(name);
            await Publish(name, i);
        }

        await reader.Has(30);
        Assert.Equal(Enumerable.Range(0, 31), reader.Numbers);
        Assert.Empty(reader.Gaps);
        Assert.Equal((await Owner(name).Describe()).Ok().History.Epoch, reader.Feed.History.Epoch);
    }

    [Fact]
    public async Task A_reader_waits_for_a_stream_that_does_not_exist()
    {
        var name = await cluster.StreamOwnedBy(0);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Beginning);
        Assert.Equal(StreamState.Absent, reader.Feed.History.State);
        await Publish(name, 1);
        await Publish(name, 2);

        await reader.Has(2);
        Assert.Equal([1, 2], reader.Numbers);
        Assert.Empty(reader.Gaps);
    }

    [Fact]
    public async Task Completion_reaches_readers_behind_the_last_event()
    {
        var name = await cluster.StreamOwnedBy(0);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Beginning);
        for (var i = 0; i < 50; i++) await Publish(name, i);
        var ended = (await cluster.Node(1).Complete(name, default)).Ok();
        Assert.Equal(StreamState.Completed, ended.History.State);

        await reader.Is(StreamState.Completed);
        Assert.Equal(Enumerable.Range(0, 50), reader.Numbers);
        Assert.Equal(ErrorCode.StreamCompleted, (await Given.Publish(cluster.Node(1), name, 51)).Refusal!.Value.Code);
    }

    [Fact]
    public async Task Deletion_ends_readers_and_who_comes_next_reads_the_stream_that_is_made_again()
    {
        var name = await cluster.StreamOwnedBy(0);
        var last = await Publish(name, 1);
        using var old = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        Assert.Equal(last.Seq, (await cluster.Node(1).Delete(name, default)).Ok());
        await old.Is(StreamState.Deleted);
        using var waiting = await FeedFollower.On(cluster.Node(1), name, ReadFrom.After(last));
        Assert.Equal(StreamState.Deleted, waiting.Feed.History.State);
        Assert.Equal(ErrorCode.NotFound, (await cluster.Node(1).Describe(name)).Refusal!.Value.Code);

        await Publish(name, 2);

        await waiting.Has(2);
        Assert.Equal([GapReason.Reset], waiting.Gaps);
        Assert.Equal([1], old.Numbers);
    }

    [Fact]
    public async Task A_copy_that_nobody_follows_is_let_go()
    {
        var name = await cluster.StreamOwnedBy(0);
        await Publish(name, 1);
        (await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer)).Dispose();

        await Given.Until(async () => (await Owner(name).Describe()).Ok().Taps == 0);
    }

    [Fact]
    public async Task A_node_waits_for_so_many_absent_streams_and_no_more()
    {
        var node = cluster.Node(0);
        var leases = new List<FeedLease>();
        Refusal? refused = null;
        for (var i = 0; i < 200 && refused is null; i++)
        {
            var followed = await node.Follow($"absent-{i}");
            refused = followed.Refusal;
            if (followed.Value is { } lease) leases.Add(lease);
        }
        Assert.Equal(ErrorCode.RateLimited, refused!.Value.Code);
        foreach (var lease in leases) lease.Dispose();

        await Given.Until(async () =>
        {
            using var lease = (await node.Follow("absent-again")).Value;
            return lease is not null;
        });
    }

    [Fact]
    public async Task What_a_durable_stream_s_buffer_no_longer_holds_is_read_from_storage()
    {
        var name = await cluster.StreamOwnedBy(0);
        (await cluster.Node(1).Configure(name, """{"buffer":2,"durable":true}"""u8.ToArray(), default)).Ok();
        for (var i = 1; i <= 10; i++) await Publish(name, i);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Beginning);
        Assert.Equal(0, reader.Feed.Resolve(ReadFrom.Beginning).Seq);

        using var stored = (await cluster.Node(1).ReadStored(name, 0, 100, 1 << 20)).Ok();
        Assert.Equal(Enumerable.Range(1, 10), Given.Numbers(stored));
    }

    [Fact]
    public async Task Streams_are_listed_with_what_the_node_knows_of_them()
    {
        var name = await cluster.StreamOwnedBy(0);
        await Publish(name, 1);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        await Publish($"{name}.child", 1);

        var page = (await cluster.Node(1).List(name, null, 10)).Ok();
        Assert.Equal([(name, 1), ($"{name}.child", null)],
            page.Streams.Select(each => (each.Name, each.Readers)).Where(each => each.Name.StartsWith($"{name}.",
                StringComparison.Ordinal) || each.Name == name));
        Assert.DoesNotContain((await cluster.Node(1).List("", null, 1000)).Ok().Streams,
            each => each.Name == "$directory");
    }

    private IStreamGrain Owner(string name) => cluster.Through(0).GetGrain<IStreamGrain>(name);

    private async Task<Cursor> Publish(string name, int number, bool? critical = null) =>
        (await Given.Publish(cluster.Node(number % 2), name, number, critical)).Ok().Last;
}
