using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;
using OrleansEvents.Silo.Membership;
using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>Two nodes that do not reach each other any more, while both reach the database and their clients.</summary>
[Collection("Processes")]
public sealed class PartitionTests(PostgresServer postgres, ITestOutputHelper output)
{
    private readonly HttpClient _http = EventsHttp.NewClient();

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task When_two_nodes_do_not_reach_each_other_one_ends_itself_and_all_is_served(int count)
    {
        await using var network = await PartedNetwork.Make(count);
        var schema = await postgres.NewSchema();
        var line = new NpgsqlConnectionStringBuilder(schema.Connection);
        var database = network.Open(line.Host!, line.Port);
        (line.Host, line.Port) = (database.Address.ToString(), database.Port);
        var (nodes, spawned) = (new SiloProcess[count], new List<SiloProcess>());
        try
        {
            for (var node = 0; node < count; node++) await Start(node);
            string[] streams = ["a", "b", "c", "d"];
            foreach (var stream in streams)
                await Given.Until(async () => await _http.TrySendAsync(HttpMethod.Put, nodes[0].Address,
                    $"/api/streams/{stream}", """{"durable":true}""") is { IsSuccess: true });
            using var enough = new CancellationTokenSource();
            // Through each of the two that part, and elsewhere when it has ended.
            var publishers = streams.SelectMany(stream => Enumerable.Range(0, 2).Select(node =>
                new Publisher(_http, () => nodes[Lives(node)].Address, stream, node, enough.Token))).ToArray();
            var readers = streams.Select(stream => new Following(() => nodes[Lives(0)].Address, stream)).ToArray();
            await All(publishers, 10);

            await network.Cut(0, 1);
            await Given.Until(() => Task.FromResult(nodes[0].HasExited || nodes[1].HasExited));
            var ended = nodes[0].HasExited ? 0 : 1;
            output.WriteLine($"Node {ended} has ended itself");
            Assert.Equal(DeclaredDead.ExitCode, await nodes[ended].Ends());
            await All(publishers, 10);
            Assert.False(nodes[1 - ended].HasExited);

            await network.Heal(0, 1);
            await Start(ended);
            await All(publishers, 10);
            await enough.CancelAsync();
            foreach (var publisher in publishers) await publisher.Ended.WaitAsync(TwoSilos.Limit);

            for (var each = 0; each < streams.Length; each++)
                await AllIsThere(readers[each], [.. publishers.Where(by => by.Stream == streams[each])], nodes);
        }
        finally
        {
            foreach (var node in spawned) await node.DisposeAsync();
            await PostgresServer.Drop(schema);
            _http.Dispose();
        }

        async Task Start(int node)
        {
            var started = SiloProcess.SpawnIn(network.PlaceOf(node), "--postgres", line.ConnectionString);
            spawned.Add(started);
            await started.IsReady();
            nodes[node] = started;
        }

        int Lives(int node) => nodes[node].HasExited ? 1 - node : node;
    }

    /// <summary>Nothing that was taken is lost, nothing comes twice, and each publisher's order is kept.</summary>
    private async Task AllIsThere(Following reader, Publisher[] publishers, SiloProcess[] nodes)
    {
        foreach (var publisher in publishers) await reader.Has(publisher.Numbers.Max());
        var read = reader.Numbers;
        Assert.Equal(publishers.SelectMany(each => each.Numbers).Order(), read.Order());
        foreach (var publisher in publishers)
            Assert.Equal(publisher.Numbers, read.Where(number => number % 2 == publisher.Node));
        Assert.Empty(reader.Gaps);
        foreach (var node in nodes) Assert.Equal(read, await Stored(node.Address, publishers[0].Stream));
        await reader.DisposeAsync();
    }

    private static async Task All(Publisher[] publishers, int more)
    {
        var before = Array.ConvertAll(publishers, each => each.Numbers.Length);
        try
        {
            await Given.Until(() => Task.FromResult(publishers.Zip(before).All(each =>
                each.First.Numbers.Length >= each.Second + more)));
        }
        catch (OperationCanceledException)
        {
            Assert.Fail(string.Join('\n', publishers.Zip(before, (each, from) => $"{each} (from {from})")));
        }
    }

    /// <summary>What the stream holds, in order; no number of an event comes twice.</summary>
    private async Task<List<int>> Stored(Uri node, string stream)
    {
        var (numbers, after, last) = (new List<int>(), "0", 0L);
        while (true)
        {
            var page = (await _http.GetAsync(node, $"/api/streams/{stream}/events?after={after}&limit=1000")).Json;
            foreach (var each in page.GetProperty("events").EnumerateArray())
            {
                Assert.True(each.GetProperty("seq").GetInt64() > last);
                last = each.GetProperty("seq").GetInt64();
                numbers.Add(each.GetProperty("data").GetInt32());
            }
            after = page.GetProperty("cursor").GetString()!;
            if (!page.GetProperty("more").GetBoolean()) return numbers;
        }
    }

    /// <summary>Publishes one number after the other, each until it is taken.</summary>
    private sealed class Publisher
    {
        private readonly ConcurrentQueue<int> _taken = new();
        private Answer? _answer;

        public Publisher(HttpClient http, Func<Uri> where, string stream, int node, CancellationToken enough)
        {
            (Stream, Node) = (stream, node);
            Ended = Run();

            async Task Run()
            {
                for (var number = node; !enough.IsCancellationRequested; number += 2)
                {
                    var body = string.Create(CultureInfo.InvariantCulture,
                        $$"""{"type":"tick","key":"k{{number}}","critical":true,"data":{{number}}}""");
                    _answer = null;
                    while (_answer is not { IsSuccess: true })
                    {
                        await Task.Delay(50, CancellationToken.None);
                        _answer = await http.TrySendAsync(HttpMethod.Post, where(), $"/api/streams/{stream}/events",
                            body);
                    }
                    _taken.Enqueue(number);
                }
            }
        }

        public string Stream { get; }

        public int Node { get; }

        public Task Ended { get; }

        public override string ToString() =>
            $"{Stream} through node {Node}: {_taken.Count} taken, last answer: {_answer}, "
            + (Ended.Exception?.InnerException?.ToString() ?? "goes on");

        /// <summary>Those that were taken.</summary>
        public int[] Numbers => [.. _taken];
    }
}
