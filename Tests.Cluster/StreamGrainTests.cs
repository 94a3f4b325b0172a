using System.Text;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster;

public sealed class StreamGrainTests(TwoSilos cluster)
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task What_is_published_through_one_silo_is_read_through_the_other(int owner)
    {
        var name = await cluster.StreamOwnedBy(owner);
        var publisher = cluster.Through(0).GetGrain<IStreamGrain>(name);
        var two = PackedEvents.Of([Given.Event(1), Given.Event(2, critical: true)]);
        var answer = (await publisher.Publish(two, each: true)).Ok();
        (await publisher.Publish(Given.Event(3))).Ok();

        Assert.Equal((2, 0, true), (answer.Published.Count, answer.Published.Duplicates, answer.Published.Durable));
        Assert.Equal([answer.Published.First, answer.Published.Last], answer.Each!.Select(each => each.Id));
        var reader = cluster.Through(1).GetGrain<IStreamGrain>(name);
        Assert.Equal([1, 2, 3], (await reader.ReadAll(ReadFrom.Buffer)).Numbers);
        Assert.Equal([3], (await reader.ReadAll(ReadFrom.After(answer.Published.Last))).Numbers);
        Assert.Equal([2, 3], (await reader.ReadAll(ReadFrom.After(answer.Published.First), page: 1)).Numbers);
    }

    [Fact]
    public async Task Reading_a_stream_that_does_not_exist_does_not_make_it()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>("nobody.published.here");
        Assert.Equal(ErrorCode.NotFound, (await stream.Read(ReadFrom.Buffer, 1, 1)).Refusal!.Value.Code);
        Assert.Equal(ErrorCode.NotFound, (await stream.Describe()).Refusal!.Value.Code);
        Assert.Empty(await cluster.Log.List("nobody", null, 10));
    }

    [Fact]
    public async Task A_name_that_is_none_is_refused()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>("not a name");
        await Refused(ErrorCode.InvalidInput, stream, Given.Event(1));
    }

    [Fact]
    public async Task A_deactivation_loses_nothing_and_makes_no_gap()
    {
        var name = await cluster.StreamOwnedBy(0);
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(name);
        var first = (await stream.Publish(Given.Event(1), Given.Event(2, critical: true))).Ok().Published.First;
        (await stream.Publish(Given.Event(3))).Ok();

        await cluster.Deactivate(name);

        var (numbers, gaps) = await stream.ReadAll(ReadFrom.After(first));
        Assert.Equal([2, 3], numbers);
        Assert.Empty(gaps);
        Assert.NotEqual(first.Epoch, (await stream.Describe()).Ok().Head.Epoch);
    }

    [Fact]
    public async Task A_critical_event_survives_an_owner_that_lost_its_stream_and_the_ordinary_are_a_gap()
    {
        var name = await cluster.StreamOwnedBy(1);
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(name);
        var first = (await stream.Publish(Given.Event(1, critical: true))).Ok().Published.First;
        (await stream.Publish(Given.Event(2))).Ok();

        // Another owner opens the stream and dies: what a cluster does that took a silo for dead.
        await cluster.Log.Open(name, epoch: 42, create: false, nowMs: 0);
        await Refused(ErrorCode.StoreUnavailable, stream, Given.Event(3, critical: true));

        await Given.Until(async () => (await stream.Read(ReadFrom.Buffer, 1, 1)).Refusal is null);
        Assert.Equal([1], (await stream.ReadAll(ReadFrom.Buffer)).Numbers);
        (await stream.Publish(Given.Event(4, critical: true))).Ok();
        Assert.Equal([1, 4], (await stream.ReadAll(ReadFrom.Buffer)).Numbers);
        var (numbers, gaps) = await stream.ReadAll(ReadFrom.After(first));
        Assert.Equal([4], numbers);
        Assert.Equal(GapReason.Restart, Assert.Single(gaps).Reason);
    }

    [Fact]
    public async Task Keys_are_remembered_over_activations()
    {
        var name = await cluster.StreamOwnedBy(0);
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(name);
        var first = (await stream.Publish(Given.Event(1, critical: true, key: "k"))).Ok().Published;

        await cluster.Deactivate(name);

        var again = (await stream.Publish(Given.Event(1, critical: true, key: "k"))).Ok().Published;
        Assert.Equal((0, 1, first.First), (again.Count, again.Duplicates, again.First));
        await Refused(ErrorCode.KeyConflict, stream, Given.Event(2, critical: true, key: "k"));
        Assert.Equal([1], (await stream.ReadAll(ReadFrom.Buffer)).Numbers);
    }

    [Fact]
    public async Task Publishers_of_one_key_at_once_make_one_event()
    {
        var name = await cluster.StreamOwnedBy(0);
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            cluster.Through(i % 2).GetGrain<IStreamGrain>(name).Publish(Given.Event(1, critical: true, key: "once"))));
        Assert.Equal(1, answers.Sum(answer => answer.Ok().Published.Count));
        Assert.Single(answers.Select(answer => answer.Ok().Published.First).Distinct());
    }

    [Fact]
    public async Task A_durable_stream_is_read_back_beyond_its_buffer()
    {
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(await cluster.StreamOwnedBy(1));
        var made = (await stream.Configure("""{"durable":true,"buffer":5}"""u8.ToArray())).Ok();
        Assert.True(made is { Created: true, Settings: { Durable: true, Buffer: 5 } });
        for (var i = 1; i <= 30; i++) (await stream.Publish(Given.Event(i))).Ok();

        var described = (await stream.Describe()).Ok();
        Assert.Equal((5, 30), (described.Events, described.StoredEvents));
        var (numbers, gaps) = await stream.ReadAll(ReadFrom.Beginning, page: 7);
        Assert.Equal(Enumerable.Range(1, 30), numbers);
        Assert.Empty(gaps);
        var refusal = (await stream.Configure("""{"durable":1}"""u8.ToArray())).Refusal;
        Assert.Equal(ErrorCode.InvalidInput, refusal!.Value.Code);
    }

    [Fact]
    public async Task What_storage_has_is_not_read_before_it_is_visible()
    {
        var name = await cluster.StreamOwnedBy(1);
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(name);
        (await stream.Configure("""{"durable":true,"buffer":5}"""u8.ToArray())).Ok();
        for (var i = 1; i <= 20; i++) (await stream.Publish(Given.Event(i))).Ok();
        var (id, answer) = (await LogIdOf(name), new TaskCompletionSource());
        cluster.Storage.Hold(id, answer.Task);

        var publishing = stream.Publish(Given.Event(21));
        await HasStored(id, 21);
        Assert.Equal(Enumerable.Range(1, 20), (await stream.ReadAll(ReadFrom.Beginning)).Numbers);

        answer.SetResult();
        (await publishing).Ok();
        Assert.Equal(Enumerable.Range(1, 21), (await stream.ReadAll(ReadFrom.Beginning)).Numbers);
    }

    [Fact]
    public async Task What_was_made_void_is_not_read_though_storage_has_it()
    {
        var name = await cluster.StreamOwnedBy(1);
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(name);
        (await stream.Configure("""{"durable":true,"buffer":5}"""u8.ToArray())).Ok();
        for (var i = 1; i <= 20; i++) (await stream.Publish(Given.Event(i))).Ok();
        var (id, answer) = (await LogIdOf(name), new TaskCompletionSource());
        cluster.Storage.Hold(id, answer.Task);
        var publishing = stream.Publish(Given.Event(21));
        await HasStored(id, 21);

        cluster.Storage.Break(id, broken: true);
        answer.SetException(new LogUnavailableException("the answer is lost for this test"));
        Assert.Equal(ErrorCode.StoreUnavailable, (await publishing).Refusal!.Value.Code);
        Assert.Equal(Enumerable.Range(1, 20), (await stream.ReadAll(ReadFrom.Beginning)).Numbers);

        cluster.Storage.Hold(id, Task.CompletedTask);
        cluster.Storage.Break(id, broken: false);
        await Given.Until(async () => (await stream.Publish(Given.Event(22))).Refusal is null);
        Assert.Equal(Enumerable.Range(1, 22).Where(i => i != 21), (await stream.ReadAll(ReadFrom.Beginning)).Numbers);
    }

    [Fact]
    public async Task A_reopening_whose_answer_was_lost_is_repeated_and_not_fenced_off_by_itself()
    {
        var name = await cluster.StreamOwnedBy(0);
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(name);
        var first = (await stream.Publish(Given.Event(1, critical: true))).Ok().Published.First;
        (await stream.Publish(Given.Event(2))).Ok();
        var id = await LogIdOf(name);
        cluster.Storage.LoseReopenings(id, 1);
        cluster.Storage.Break(id, broken: true);
        await Refused(ErrorCode.StoreUnavailable, stream, Given.Event(3, critical: true));
        cluster.Storage.Break(id, broken: false);

        await Given.Until(async () => (await stream.Publish(Given.Event(4, critical: true))).Refusal is null);
        // An owner that was fenced off would have lost the ordinary event.
        var (numbers, gaps) = await stream.ReadAll(ReadFrom.After(first));
        Assert.Equal([2, 4], numbers);
        Assert.Empty(gaps);
    }

    [Fact]
    public async Task While_storage_is_down_ordinary_events_go_on_and_durable_ones_come_back_by_themselves()
    {
        var name = await cluster.StreamOwnedBy(0);
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(name);
        (await stream.Publish(Given.Event(1, critical: true))).Ok();
        var id = await LogIdOf(name);

        cluster.Storage.Break(id, broken: true);
        await Refused(ErrorCode.StoreUnavailable, stream, Given.Event(2, critical: true));
        (await stream.Publish(Given.Event(3))).Ok();
        cluster.Storage.Break(id, broken: false);

        await Given.Until(async () => (await stream.Publish(Given.Event(4, critical: true))).Refusal is null);
        Assert.Equal([1, 3, 4], (await stream.ReadAll(ReadFrom.Buffer)).Numbers);
    }

    [Fact]
    public async Task An_idle_stream_leaves_its_silo_and_comes_back_whole()
    {
        var name = await cluster.StreamOwnedBy(1);
        var stream = cluster.Through(0).GetGrain<IStreamGrain>(name);
        (await stream.Configure(Encoding.UTF8.GetBytes("""{"idleAfter":0.2}"""))).Ok();
        (await stream.Publish(Given.Event(1))).Ok();

        await Given.Until(async () => await cluster.OwnerOf(name) is null);

        Assert.Equal([1], (await stream.ReadAll(ReadFrom.Buffer)).Numbers);
    }

    [Fact]
    public async Task A_stream_with_a_key_that_only_memory_knows_is_not_unloaded_within_the_key_s_window()
    {
        var name = await cluster.StreamOwnedBy(0);
        var stream = cluster.Through(1).GetGrain<IStreamGrain>(name);
        (await stream.Configure("""{"idleAfter":0.2,"dedupeWindow":2}"""u8.ToArray())).Ok();
        var first = (await stream.Publish(Given.Event(1, key: "k"))).Ok().Published.First;
        var began = TimeProvider.System.GetTimestamp();

        await Given.Until(async () => await cluster.OwnerOf(name) is null);

        Assert.True(TimeProvider.System.GetElapsedTime(began) > TimeSpan.FromSeconds(1.5));
        Assert.Empty((await stream.ReadAll(ReadFrom.After(first))).Gaps);
    }

    private static async Task Refused(ErrorCode code, IStreamGrain stream, NewEvent @event) =>
        Assert.Equal(code, (await stream.Publish(@event)).Refusal!.Value.Code);

    private Task HasStored(long id, int events) => Given.Until(async () =>
    {
        using var stored = await cluster.Log.Read(id, 0, 100, 1 << 20);
        return stored.Count == events;
    });

    /// <summary>Numbers of the memory log are given in the order of creation: found by what is stored there.</summary>
    private async Task<long> LogIdOf(string name)
    {
        var epoch = (await cluster.Through(0).GetGrain<IStreamGrain>(name).Describe()).Ok().Head.Epoch;
        for (long id = 1; ; id++)
        {
            using var run = await cluster.Log.Read(id, 0, 1, 1 << 20);
            if (run.Count == 0) continue;
            var cursor = Encoding.ASCII.GetString(run.Frames.Span.Slice(4, Cursor.TextLength));
            if (Cursor.TryParse(cursor, out var found) && found.Epoch == epoch) return id;
        }
    }
}
