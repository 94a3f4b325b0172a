using System.Text;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster;

public sealed class SubscriberTests(TwoSilos cluster)
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(0, 0)]
    public async Task What_is_owed_comes_beside_the_line_and_what_is_new_on_it_and_acknowledged_events_come_no_more(
        int owner, int home)
    {
        var (stream, name) = await Make(owner, home);
        await Publish(stream, 1, 2, 3);
        await using (var reader = new SubscriberReader(cluster, 0, stream, name, each => each.Number is 1 or 4))
        {
            await reader.Has(3);
            await Publish(stream, 4);
            (await Grain(stream).Publish(Given.Event(5))).Ok();
            await reader.Has(5);
            await Given.Until(() => Task.FromResult(reader.Acknowledged.Count == 2));
            Assert.Equal([(1, 1), (2, 1), (3, 1), (4, 1), (5, 0)],
                reader.Events.Select(each => (each.Number, each.Attempt)));
        }
        var described = (await cluster.Node(1).DescribeSubscriber(stream, name)).Ok();
        Assert.Equal((2, 2L), (described.Pending, described.Counts.Succeeded));

        await using var again = new SubscriberReader(cluster, 1, stream, name);
        await again.Has(3);
        await again.Has(2);
        Assert.Equal([2, 3], again.Numbers.Distinct().Order());
        Assert.All(again.Events, each => Assert.True(each.Attempt > 1));
    }

    [Fact]
    public async Task A_negative_acknowledgement_brings_the_event_again_until_it_is_a_dead_letter_that_can_be_replayed()
    {
        var (stream, name) = await Make(0, 1);
        await Configure(stream, name, """{"maxAttempts":2,"backoff":[0.05]}""");
        await Publish(stream, 1);
        await using var reader = new SubscriberReader(cluster, 0, stream, name);
        var first = await reader.Has(1);
        Assert.Equal(NackResult.Scheduled, await Nack(stream, name, first.Id));
        await reader.Has(1, attempt: 2);
        await Given.Until(async () => await Nack(stream, name, first.Id) is NackResult.Parked or NackResult.Already);

        var letters = (await cluster.Node(1).DeadLetters(stream, name, 0, 10)).Ok();
        using (letters.Events) Assert.Equal([1], Given.Numbers(letters.Events));
        Assert.Equal(2, Assert.Single(letters.Details).Attempts);
        Assert.Equal(1, (await cluster.Node(1).ReplayDeadLetters(stream, name, null, default)).Ok());
        await reader.Has(1, attempt: 3);
        Assert.Equal(AckResult.Acknowledged, await Ack(stream, name, first.Id));
        var described = (await cluster.Node(0).DescribeSubscriber(stream, name)).Ok();
        Assert.Equal((0, 0), (described.Pending, described.DeadLetters));
    }

    [Fact]
    public async Task An_event_that_is_not_acknowledged_in_time_comes_again()
    {
        var (stream, name) = await Make(1, 0);
        await Configure(stream, name, """{"ackWait":0.2,"backoff":[0.05]}""");
        await using var reader = new SubscriberReader(cluster, 1, stream, name, each => each.Attempt == 3);
        await Given.Until(() => Task.FromResult(reader.Session is not null));
        await Publish(stream, 1);
        await reader.Has(1, attempt: 3);
        await Given.Until(() => Task.FromResult(reader.Acknowledged.Contains(1)));
        Assert.Equal([1, 2, 3], reader.Events.Select(each => each.Attempt));
    }

    [Fact]
    public async Task Connections_on_two_nodes_share_what_comes_and_each_event_goes_to_one()
    {
        var (stream, name) = await Make(0, 1);
        await Configure(stream, name, """{"mode":"compete"}""");
        await using var one = new SubscriberReader(cluster, 0, stream, name, static _ => true);
        await using var two = new SubscriberReader(cluster, 1, stream, name, static _ => true);
        await Given.Until(() => Task.FromResult(one.Session is not null && two.Session is not null));
        for (var i = 1; i <= 40; i++) await Publish(stream, i);
        await Given.Until(() => Task.FromResult(one.Numbers.Length + two.Numbers.Length >= 40));

        Assert.Equal(Enumerable.Range(1, 40), one.Numbers.Concat(two.Numbers).Order());
        Assert.NotEmpty(one.Numbers);
        Assert.NotEmpty(two.Numbers);
        await Given.Until(async () => (await cluster.Node(0).DescribeSubscriber(stream, name)).Ok().Pending == 0);
    }

    [Fact]
    public async Task A_removed_subscriber_ends_its_readers_and_is_not_registered_by_reading()
    {
        var (stream, name) = await Make(0, 1);
        await Publish(stream, 1);
        await using var reader = new SubscriberReader(cluster, 0, stream, name);
        await reader.Has(1);
        Assert.Equal(1, (await cluster.Node(1).RemoveSubscriber(stream, name, default)).Ok());

        await Given.Until(() => Task.FromResult(reader.Session!.IsOver));
        var back = await cluster.Node(0).Subscribe(stream, name, SessionKind.Connection);
        Assert.Equal((null, null), (back.Refusal, back.Value));
        Assert.Equal(ErrorCode.NotFound, (await cluster.Node(0).DescribeSubscriber(stream, name)).Refusal!.Value.Code);
        Assert.Empty((await cluster.Node(0).Subscribers(stream)).Ok());
        await Configure(stream, name, "{}");
        Assert.Equal(1, (await cluster.Node(0).DescribeSubscriber(stream, name)).Ok().Pending);
    }

    [Fact]
    public async Task A_blocking_subscriber_that_is_owed_its_most_refuses_publishers_until_it_acknowledges()
    {
        var (stream, name) = await Make(0, 1);
        await Configure(stream, name, """{"overflow":"block","maxPending":3}""");
        await Publish(stream, 1, 2, 3);
        Assert.Equal(ErrorCode.BacklogFull,
            (await Grain(stream).Publish(Given.Event(4, critical: true))).Refusal!.Value.Code);
        (await Grain(stream).Publish(Given.Event(5))).Ok();
        await cluster.Deactivate(stream);
        Assert.Equal(ErrorCode.BacklogFull,
            (await Grain(stream).Publish(Given.Event(6, critical: true))).Refusal!.Value.Code);

        await using var reader = new SubscriberReader(cluster, 1, stream, name, each => each.Number == 1);
        await reader.Has(3);
        await Given.Until(async () =>
            (await Grain(stream).Publish(Given.Event(7, critical: true))).Refusal is null);
        Assert.Equal(ErrorCode.BacklogFull,
            (await Grain(stream).Publish(Given.Event(8, critical: true))).Refusal!.Value.Code);
    }

    [Fact]
    public async Task Nothing_that_a_subscriber_is_owed_is_trimmed_before_it_is_acknowledged_or_parked()
    {
        var (stream, name) = await Make(0, 1);
        await Configure(stream, name, "{}");
        (await Grain(stream).Configure("""{"buffer":1,"retention":{"count":3}}"""u8.ToArray())).Ok();
        await Publish(stream, [.. Enumerable.Range(1, 10)]);
        // Nobody has it loaded: the owner has to ask it.
        await cluster.DeactivateSubscriber(stream, name);
        await Publish(stream, [.. Enumerable.Range(11, 10)]);

        await Given.Until(async () =>
            (await cluster.Node(0).DescribeSubscriber(stream, name)).Ok().DeadLetters >= 15);
        await Given.Until(async () => (await Grain(stream).Describe()).Ok().StoredEvents <= 5);
        var described = (await cluster.Node(0).DescribeSubscriber(stream, name)).Ok();
        Assert.Equal(20, described.DeadLetters + described.Pending);
        await using var reader = new SubscriberReader(cluster, 1, stream, name, static _ => true);
        (await cluster.Node(0).ReplayDeadLetters(stream, name, null, default)).Ok();
        await Given.Until(() => Task.FromResult(reader.Acknowledged.Count == 20));
        Assert.Empty(reader.Wrong);
    }

    [Fact]
    public async Task What_everybody_has_acknowledged_is_trimmed()
    {
        var (stream, name) = await Make(1, 0);
        await Configure(stream, name, "{}");
        await using var reader = new SubscriberReader(cluster, 1, stream, name, each => each.Number != 7);
        await Publish(stream, [.. Enumerable.Range(1, 6)]);
        await Publish(stream, 7);
        await Publish(stream, 8);
        await reader.Has(8);
        await Given.Until(async () => (await Grain(stream).Describe()).Ok().StoredEvents == 2);
        Assert.Equal(AckResult.Acknowledged, await Ack(stream, name, (await reader.Has(7)).Id));
        await Given.Until(async () => (await Grain(stream).Describe()).Ok().StoredEvents == 0);
    }

    [Fact]
    public async Task Attempts_survive_a_move_of_the_subscriber()
    {
        var (stream, name) = await Make(0, 1);
        await Configure(stream, name, """{"maxAttempts":10}""");
        await Publish(stream, 1);
        await using var reader = new SubscriberReader(cluster, 0, stream, name);
        await reader.Has(1);
        await Nack(stream, name, (await reader.Has(1)).Id);
        await reader.Has(1, attempt: 2);
        await cluster.DeactivateSubscriber(stream, name);
        await reader.Has(1, attempt: 3);
        Assert.Equal([1, 2, 3], reader.Events.Select(each => each.Attempt));
    }

    private IStreamGrain Grain(string stream) => cluster.Through(0).GetGrain<IStreamGrain>(stream);

    private async Task<(string Stream, string Name)> Make(int owner, int home)
    {
        var stream = await cluster.StreamOwnedBy(owner);
        return (stream, await cluster.SubscriberOwnedBy(home, stream));
    }

    private async Task Publish(string stream, params int[] numbers)
    {
        foreach (var number in numbers) (await Grain(stream).Publish(Given.Event(number, critical: true))).Ok();
    }

    private async Task Configure(string stream, string name, string json) =>
        (await cluster.Node(0).ConfigureSubscriber(stream, name, Encoding.UTF8.GetBytes(json), default)).Ok();

    private async Task<AckResult> Ack(string stream, string name, string id) =>
        Assert.Single((await cluster.Node(1).Acknowledge(stream, name, new AckRequest([id], null), default)).Ok())
            .Result;

    private async Task<NackResult> Nack(string stream, string name, string id) =>
        Assert.Single((await cluster.Node(1).Nack(stream, name, new NackRequest([id], null), default)).Ok()).Result;
}
