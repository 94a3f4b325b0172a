using System.Text;
using Orleans.Runtime;
using Orleans.Streams;
using OrleansEvents.Grains.Bridge;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Cluster.Bridge.FollowerGrains;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster.Bridge;

/// <summary>What grains and clients publish to an Orleans stream.</summary>
public sealed class BridgePublishTests(TwoSilos cluster)
{
    private static readonly ReadOnlyMemory<byte> s_data = "1"u8.ToArray();

    [Fact]
    public async Task What_grains_and_clients_publish_is_in_the_event_stream_for_readers_on_all_nodes()
    {
        var name = await cluster.StreamOwnedBy(0);
        using var reader = await FeedFollower.On(cluster.Node(1), name, ReadFrom.Buffer);
        await (await cluster.FollowerOn(0, name)).Publish(Note(1));
        await (await cluster.FollowerOn(1, name)).Publish(Note(2));
        await OfClient(name).OnNextBatchAsync([Note(3), Note(4)]);

        await reader.Has(4);
        Assert.Equal([1, 2, 3, 4], reader.Numbers);
    }

    [Fact]
    public async Task Everything_that_an_event_has_is_published()
    {
        var name = await cluster.StreamOwnedBy(1);
        var time = new DateTimeOffset(2020, 2, 3, 4, 5, 6, TimeSpan.Zero);
        await OfClient(name).OnNextAsync(
            new GrainEvent("a \"type\" \\ é", "{\"é\":\n[1]}"u8.ToArray(), 7, true, "k", time));

        var run = (await cluster.Through(0).GetGrain<IStreamGrain>(name).Read(ReadFrom.Buffer, 10, 1 << 20)).Ok().Events
            .Above(0);
        var json = Encoding.UTF8.GetString(run.FrameOf(run.Slots[0])[EventSlot.JsonStart..]);
        Assert.Contains("""
            "type":"a \"type\" \\ é","version":7,"time":"2020-02-03T04:05:06.000Z","critical":true,"data":{"é": [1]},
            """.Trim() + "\"key\":\"k\"", json, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_critical_is_on_storage_when_its_publisher_is_answered()
    {
        var name = await cluster.StreamOwnedBy(1);
        await OfClient(name).OnNextAsync(Note(1, critical: true));

        Assert.Equal(1, (await cluster.Through(0).GetGrain<IStreamGrain>(name).Describe()).Ok().StoredEvents);
    }

    [Fact]
    public async Task A_publish_whose_answer_was_lost_doubles_nothing_when_it_is_repeated()
    {
        var name = await cluster.StreamOwnedBy(1);
        var lost = 0;
        cluster.Calls.AfterPublish(name, () => Interlocked.Increment(ref lost) <= 2
            ? throw new SiloUnavailableException("the answer is lost") : Task.CompletedTask);
        var grain = await cluster.FollowerOn(0, name);
        await grain.Publish(Note(1, critical: true));
        await grain.Publish(Note(2, key: "2"));
        await grain.Publish(Note(2, key: "2"));

        Assert.True(lost > 2);
        Assert.Equal([1, 2],
            (await cluster.Through(0).GetGrain<IStreamGrain>(name).ReadAll(ReadFrom.Beginning)).Numbers);
    }

    public static TheoryData<string, GrainEvent, ErrorCode> Refused() => new()
    {
        { "notes", new GrainEvent("", s_data), ErrorCode.InvalidInput },
        { "notes", new GrainEvent("t", default), ErrorCode.InvalidInput },
        { "notes", new GrainEvent("t", "{"u8.ToArray()), ErrorCode.InvalidInput },
        { "notes", new GrainEvent("t", "1,\"critical\":true"u8.ToArray()), ErrorCode.InvalidInput },
        { "notes", new GrainEvent("t", s_data, Version: 0), ErrorCode.InvalidInput },
        { "notes", new GrainEvent("t", s_data, Key: ""), ErrorCode.InvalidInput },
        { "notes", new GrainEvent("t", s_data) { Ended = StreamState.Completed }, ErrorCode.InvalidInput },
        { "notes", new GrainEvent("t", Encoding.UTF8.GetBytes($"\"{new string('x', 300_000)}\"")),
            ErrorCode.EventTooLarge },
        { "no name", new GrainEvent("t", s_data), ErrorCode.InvalidInput },
        { "$system", new GrainEvent("t", s_data), ErrorCode.PermissionDenied },
    };

    [Theory]
    [MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public async Task What_is_no_event_is_refused_to_its_publisher(string stream, GrainEvent item, ErrorCode code)
    {
        // Through a grain, so that the refusal comes back over a call.
        var refused = await Assert.ThrowsAsync<EventRefusedException>(
            () => cluster.Through(0).GetGrain<IFollowerGrain>($"{stream}/refused").Publish(item));
        Assert.Equal(code, refused.Refusal.Code);
    }

    [Fact]
    public async Task Other_items_other_namespaces_and_tokens_are_refused_and_a_batch_whole()
    {
        var name = await cluster.StreamOwnedBy(0);
        var provider = cluster.Client.GetStreamProvider(cluster.Bridge.Provider);
        await Refuses(() => provider.GetStream<string>(BridgeOptions.Namespace, "texts").OnNextAsync("text"));
        await Refuses(() => provider.GetStream<GrainEvent>("other", name).OnNextAsync(Note(1)));
        await Refuses(() => OfClient(name).OnNextAsync(Note(1), new EventPosition(default)));
        await Refuses(() => OfClient(name).OnNextBatchAsync([Note(1), new GrainEvent("", s_data)]));
        await Refuses(() => OfClient(name).OnNextBatchAsync([]));

        Assert.Equal(ErrorCode.NotFound, (await cluster.Node(0).Describe(name)).Refusal!.Value.Code);

        static async Task Refuses(Func<Task> publish) => Assert.Equal(ErrorCode.InvalidInput,
            (await Assert.ThrowsAsync<EventRefusedException>(publish)).Refusal.Code);
    }

    private IAsyncStream<GrainEvent> OfClient(string stream) => cluster.Client
        .GetStreamProvider(cluster.Bridge.Provider)
        .GetStream<GrainEvent>(StreamId.Create(BridgeOptions.Namespace, stream));
}
