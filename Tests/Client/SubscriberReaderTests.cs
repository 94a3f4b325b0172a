using System.Net;
using OrleansEvents.Client;
using OrleansEvents.Tests.Cli;
using Xunit;
using Fault = OrleansEvents.Tests.Client.OwingServer.Fault;

namespace OrleansEvents.Tests.Client;

public sealed class SubscriberReaderTests
{
    /// <summary>Each acknowledgement goes at once, and the end waits for as long as it takes.</summary>
    private static readonly SubscribeOptions OneByOne = new()
    {
        Owed = OwedEvents.Critical,
        BatchSize = 1,
        BatchDelay = TimeSpan.Zero,
        FlushTimeout = FastTime.Never,
    };

    private readonly FastTime _time = new();

    [Fact]
    public async Task An_event_is_acknowledged_when_the_next_one_is_asked_for()
    {
        await using var server = await OwingServer.StartAsync(3);
        using var client = Client(server);
        var seen = 0;

        await foreach (var arrived in client.Subscribe("orders", "billing", OneByOne))
        {
            var before = Enumerable.Range(1, seen).ToArray();
            await Until.TrueAsync(() => server.Has(before));
            seen++;
            Assert.Equal(seen, arrived.Seq);
        }

        Assert.True(server.Has(1, 2, 3));
    }

    [Fact]
    public async Task Acknowledgements_go_together_by_count()
    {
        await using var server = await OwingServer.StartAsync(25);
        using var client = Client(server);

        await foreach (var arrived in client.Subscribe("orders", "billing", OneByOne with
        {
            BatchSize = 10,
            BatchDelay = FastTime.Never,
        }))
        {
            if (arrived.Seq is 11 or 21)
                await Until.TrueAsync(() => server.Batches.Count == arrived.Seq / 10);
        }

        Assert.Equal([10, 10, 5], server.Batches.Select(batch => batch.Length));
    }

    [Fact]
    public async Task A_batch_follows_while_another_is_being_stored_and_a_flush_waits_for_both()
    {
        await using var server = await OwingServer.StartAsync(3, staysOpen: true);
        var stored = new TaskCompletionSource();
        server.Faults.Enqueue(new Fault(Until: stored.Task));
        using var client = Client(server);
        await using var reader = client.Subscribe("orders", "billing", OneByOne);
        await using var events = reader.GetAsyncEnumerator();

        await events.MoveNextAsync();
        await events.MoveNextAsync();
        await Until.TrueAsync(() => server.Faults.IsEmpty);
        await events.MoveNextAsync();
        await Until.TrueAsync(() => server.Has(2));

        await Until.TrueAsync(() => reader.Unacknowledged == 1);
        var flush = reader.FlushAsync();
        Assert.False(flush.IsCompleted);
        stored.SetResult();
        await flush;
        Assert.True(server.Has(1, 2));
        Assert.Equal(0, reader.Unacknowledged);
    }

    [Fact]
    public async Task What_was_refused_while_another_batch_was_stored_is_not_taken_for_stored()
    {
        await using var server = await OwingServer.StartAsync(3, staysOpen: true);
        var refused = new TaskCompletionSource();
        server.Faults.Enqueue(new Fault(HttpStatusCode.Forbidden, "FORBIDDEN", Until: refused.Task));
        using var client = Client(server);
        await using var reader = client.Subscribe("orders", "billing", OneByOne);
        await using var events = reader.GetAsyncEnumerator();
        await events.MoveNextAsync();
        await events.MoveNextAsync();
        await Until.TrueAsync(() => server.Faults.IsEmpty);
        await events.MoveNextAsync();
        await Until.TrueAsync(() => server.Has(2));
        var flush = reader.FlushAsync();

        refused.SetResult();

        Assert.Equal("FORBIDDEN", (await Assert.ThrowsAsync<EventsException>(() => flush)).Code);
        Assert.Equal(1, reader.Unacknowledged);
    }

    [Fact]
    public async Task An_acknowledgement_waits_no_longer_than_its_delay()
    {
        await using var server = await OwingServer.StartAsync(2, staysOpen: true);
        using var client = Client(server);
        await using var reader = client.Subscribe("orders", "billing", OneByOne with { BatchSize = 10_000 });
        await using var events = reader.GetAsyncEnumerator();
        await events.MoveNextAsync();
        await events.MoveNextAsync();

        await Until.TrueAsync(() => server.Has(1));
        Assert.Equal(0, reader.Unacknowledged);
    }

    [Fact]
    public async Task Only_what_may_be_owed_is_acknowledged()
    {
        await using var server = await ScriptedServer.StartAsync();
        string[] frames = [Sse.Connected(), Sse.Event(1), Sse.OwedEvent(2), Sse.LooseEvent(3, "orders", attempt: 2)];
        server.Otherwise = (context, request) => request.Path.Split('/')[^1] switch
        {
            "ack" => Sse.WriteAsync(context, """{"results":[]}"""),
            "billing" => Sse.WriteAsync(context, """{"subscriber":"billing","owed":"all"}"""),
            _ => Sse.WriteAsync(context, [.. frames, Sse.End()]),
        };
        using var client = TestClient.Of(server, _time);

        await foreach (var _ in client.Subscribe("orders", "billing", OneByOne)) { }
        await foreach (var _ in client.Subscribe("orders", "billing", OneByOne with { Owed = null })) { }

        var asked = server.Requests.Where(request => request.Method == "POST").Select(request => request.Body);
        Assert.Equal(["c1", "c2", "c2", "c3", "c3"], asked.SelectMany(TestClient.Ids).Order());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_event_is_passed_on_once_however_often_the_connection_and_the_answers_are_lost(bool batched)
    {
        for (var cut = 0; cut <= 8; cut++)
        {
            await using var server = await OwingServer.StartAsync(8);
            server.Cuts.Enqueue(cut);
            server.Cuts.Enqueue(1);
            server.Cuts.Enqueue(cut / 2);
            server.Faults.Enqueue(new Fault(LosesAnswer: true));
            server.Faults.Enqueue(new Fault(HttpStatusCode.ServiceUnavailable));
            server.Faults.Enqueue(new Fault(HttpStatusCode.InternalServerError));
            server.Faults.Enqueue(default);
            server.Faults.Enqueue(new Fault(LosesAnswer: true));
            using var client = Client(server);
            var options = batched ? OneByOne with { BatchSize = 5, BatchDelay = TimeSpan.FromSeconds(1) } : OneByOne;

            var seqs = new List<long>();
            await foreach (var arrived in client.Subscribe("orders", "billing", options))
                seqs.Add(arrived.Seq);

            Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], seqs);
            Assert.True(server.Has(1, 2, 3, 4, 5, 6, 7, 8));
        }
    }

    [Fact]
    public async Task An_event_whose_work_failed_is_not_acknowledged_and_comes_again()
    {
        await using var server = await OwingServer.StartAsync(3);
        using var client = Client(server);
        var reader = client.Subscribe("orders", "billing", OneByOne);

        await Assert.ThrowsAsync<FormatException>(async () =>
        {
            await foreach (var arrived in reader)
            {
                if (arrived.Seq == 2)
                    throw new FormatException();
            }
        });
        var first = server.Acknowledged.ToArray();
        var rest = new List<(long, int)>();
        await foreach (var arrived in reader)
            rest.Add((arrived.Seq, arrived.Attempt));

        Assert.Equal([1], first);
        Assert.Equal((2, 2), rest[0]);
        Assert.Equal([2, 3], rest.Select(each => each.Item1));
        Assert.Empty(server.Rejections);
        Assert.True(server.Has(1, 2, 3));
    }

    [Fact]
    public async Task An_event_whose_work_failed_can_be_rejected_by_itself()
    {
        await using var server = await OwingServer.StartAsync(3);
        using var client = Client(server);

        await foreach (var arrived in client.Subscribe("orders", "billing", OneByOne with
        {
            UnfinishedDelay = TimeSpan.FromSeconds(2),
        }))
        {
            if (arrived.Seq == 2)
                break;
        }

        var (numbers, delay) = Assert.Single(server.Rejections);
        Assert.Equal([2], numbers);
        Assert.Equal(2, delay);
        Assert.True(server.Has(1));
    }

    [Fact]
    public async Task A_rejected_event_is_passed_on_again_and_then_acknowledged()
    {
        await using var server = await OwingServer.StartAsync(2, staysOpen: true);
        using var client = Client(server);
        var reader = client.Subscribe("orders", "billing", OneByOne);
        var seen = new List<(long, int)>();

        await foreach (var arrived in reader)
        {
            seen.Add((arrived.Seq, arrived.Attempt));
            if (arrived.Seq == 1 && arrived.Attempt < 3)
                Assert.True(reader.Reject(arrived, TimeSpan.FromSeconds(0.5)));
            if (arrived.Attempt == 3)
                server.Complete();
        }

        Assert.Equal([(1, 1), (1, 2), (1, 3), (2, 1)], seen.Order());
        Assert.Equal([0.5, 0.5], server.Rejections.Select(rejection => rejection.Delay));
        Assert.True(server.Has(1, 2));
        Assert.False(reader.Reject(TestClient.Event(Sse.EventJson(1, critical: true))));
        Assert.False(reader.Reject(TestClient.Event(Sse.EventJson(9))));
    }

    [Fact]
    public async Task Delivery_waits_while_too_many_acknowledgements_are_on_their_way()
    {
        var stored = new TaskCompletionSource();
        await using var server = await OwingServer.StartAsync(10);
        server.Faults.Enqueue(new Fault(Until: stored.Task));
        using var client = Client(server);
        var reader = client.Subscribe("orders", "billing", OneByOne with { MostUnacknowledged = 3 });
        var release = Until.TrueAsync(() => reader.Unacknowledged >= 3)
            .ContinueWith(_ => stored.SetResult(), TaskScheduler.Default);
        var most = 0;

        await foreach (var _ in reader)
            most = Math.Max(most, reader.Unacknowledged);
        await release;

        Assert.Equal(2, most);
        Assert.Equal((10, 0), (server.Acknowledged.Count, reader.Unacknowledged));
    }

    [Fact]
    public async Task What_the_server_refuses_for_good_ends_the_reading_and_can_be_tried_later()
    {
        await using var server = await OwingServer.StartAsync(3, staysOpen: true);
        server.Faults.Enqueue(new Fault(HttpStatusCode.Forbidden, "PERMISSION_DENIED"));
        using var client = Client(server);
        var reader = client.Subscribe("orders", "billing", OneByOne with { MostUnacknowledged = 1 });

        var refusal = await Assert.ThrowsAsync<EventsException>(async () =>
        {
            await foreach (var _ in reader) { }
        });
        var left = reader.Unacknowledged;
        var seen = new List<long>();
        await foreach (var arrived in reader)
        {
            seen.Add(arrived.Seq);
            if (arrived.Seq == 3)
                server.Complete();
        }

        Assert.Equal("PERMISSION_DENIED", refusal.Code);
        Assert.Equal(1, left);
        Assert.Equal([2, 3], seen);
        Assert.True(server.Has(1, 2, 3));
    }

    [Fact]
    public async Task Acknowledgements_of_a_stream_that_was_removed_are_dropped()
    {
        await using var server = await OwingServer.StartAsync(1);
        server.Faults.Enqueue(new Fault(HttpStatusCode.NotFound, "NOT_FOUND"));
        server.IsRemoved = true;
        using var client = Client(server);
        var reader = client.Subscribe("orders", "billing", OneByOne);

        await foreach (var _ in reader) { }

        Assert.Equal((ConnectionState.Ended, 0), (reader.State, reader.Unacknowledged));
    }

    [Fact]
    public async Task Cancelling_sends_what_is_acknowledged()
    {
        await using var server = await OwingServer.StartAsync(2, staysOpen: true);
        using var client = Client(server);
        using var stop = new CancellationTokenSource();
        await using var events = client
            .Subscribe("orders", "billing", OneByOne with { BatchSize = 100, BatchDelay = FastTime.Never })
            .GetAsyncEnumerator(stop.Token);
        await events.MoveNextAsync();
        await events.MoveNextAsync();
        var next = events.MoveNextAsync();
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await next);

        Assert.True(server.Has(1, 2));
        Assert.Equal([1, 2], Assert.Single(server.Batches));
    }

    [Fact]
    public async Task What_could_not_be_stored_at_the_end_is_kept_and_sent_by_the_next_enumeration()
    {
        await using var server = await OwingServer.StartAsync(2, staysOpen: true);
        server.Faults.Enqueue(new Fault(Until: Task.Delay(Timeout.Infinite)));
        using var client = Client(server);
        var reader = client.Subscribe("orders", "billing", OneByOne with { FlushTimeout = TimeSpan.FromSeconds(1) });
        await foreach (var arrived in reader)
        {
            if (arrived.Seq != 2)
                continue;
            await Until.TrueAsync(() => server.Faults.IsEmpty);
            break;
        }
        Assert.Equal(1, reader.Unacknowledged);

        var seen = new List<long>();
        await foreach (var arrived in reader)
        {
            seen.Add(arrived.Seq);
            server.Complete();
        }

        Assert.Equal([2], seen);
        Assert.True(server.Has(1, 2));
    }

    [Fact]
    public async Task By_hand_events_are_acknowledged_in_any_order_and_after_the_loop()
    {
        await using var server = await OwingServer.StartAsync(3);
        using var client = Client(server);
        var events = new List<StreamEvent>();
        await using (var reader = client.Subscribe("orders", "billing", OneByOne with
        {
            Manual = true,
            FlushTimeout = TimeSpan.FromSeconds(10),
        }))
        {
            await foreach (var arrived in reader)
            {
                events.Add(arrived);
                if (arrived.Seq != 3)
                    continue;
                reader.Acknowledge(arrived);
                await reader.FlushAsync();
                Assert.True(server.Has(3));
            }
            Assert.True(server.Has(3));
            reader.Acknowledge(events[0]);
            await reader.FlushAsync();
        }

        Assert.True(server.Has(1, 3));
    }

    [Fact]
    public async Task Frames_tell_what_the_server_says_between_the_events()
    {
        await using var server = await ScriptedServer.StartAsync();
        server
            .ThenFrames(Sse.Connected(), Sse.OwedEvent(1), Sse.Gap("c5", "3", "evicted"), Sse.Event(6), Sse.End())
            .ThenJson(200, """{"results":[]}""")
            .ThenJson(200, """{"pending":0}""");
        using var client = TestClient.Of(server, _time);
        var frames = new List<string>();

        await foreach (var frame in client
            .Subscribe("orders", "billing", OneByOne with { BatchSize = 9, BatchDelay = FastTime.Never }).FramesAsync())
            frames.Add(frame.GetType().Name);

        Assert.Equal(["ConnectedFrame", "EventFrame", "GapFrame", "EventFrame", "EndFrame"], frames);
        Assert.Equal("""{"ids":["c1"]}""", server.Requests.ElementAt(1).Body);
    }

    private EventsClient Client(OwingServer server) =>
        new(server.Address, options: TestClient.Patience, time: _time);
}
