using System.Diagnostics;
using OrleansEvents.Silo.Membership;
using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>What a cluster of processes does when nodes come and go, gracefully or not.</summary>
[Collection("Processes")]
public sealed class NodeTests(PostgresServer postgres, ITestOutputHelper output)
{
    private readonly Random _random = TestRun.NewRandom(output);

    [Fact]
    public async Task What_is_published_on_one_node_is_read_on_the_other()
    {
        await using var cluster = await ClusterUnderTest.Start(postgres);
        foreach (var owner in (int[])[0, 1])
        {
            var stream = await cluster.StreamOwnedBy(owner);
            await using var reader = new Following(() => cluster[1].Address, stream);
            for (var n = 1; n <= 10; n++) await cluster.Publish(0, stream, n);
            await reader.Has(10);
            Assert.Equal(Enumerable.Range(0, 11), reader.Numbers);
            Assert.Equal(1, reader.Connections);
        }
    }

    [Fact]
    public async Task An_edge_owns_nothing_and_serves_all()
    {
        await using var cluster = await ClusterUnderTest.Start(postgres, nodes: 1);
        var edge = await cluster.Add("--role", "edge");
        await using var reader = new Following(() => edge.Address, "s");
        for (var n = 1; n <= 10; n++) await cluster.Publish(1, "s", n);
        await reader.Has(10);
        Assert.Equal(Enumerable.Range(1, 10), reader.Numbers);
        Assert.False(edge.HasOpened("s"));
    }

    [Fact]
    public async Task A_cluster_whose_nodes_were_all_killed_starts_again()
    {
        await using var cluster = await ClusterUnderTest.Start(postgres);
        for (var n = 1; n <= 10; n++) await cluster.Publish(n % 2, "s", n);
        await Task.WhenAll(cluster.Nodes.Select(node => node.Kill()));

        var watch = Stopwatch.StartNew();
        await cluster.StartAgain();
        output.WriteLine($"All were ready after {watch.Elapsed.TotalSeconds:F1} s");
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));

        Assert.Equal(Enumerable.Range(1, 10), await cluster.Numbers(0, "s"));
        await cluster.Publish(1, "s", 11);
        Assert.Equal(Enumerable.Range(1, 11), await cluster.Numbers(0, "s"));
    }

    [Fact]
    public async Task A_rolling_restart_shows_readers_no_gap()
    {
        await using var cluster = await ClusterUnderTest.Start(postgres);
        var there = new[] { true, true };
        var streams = new[] { await cluster.StreamOwnedBy(0), await cluster.StreamOwnedBy(1) };
        var readers = streams.SelectMany(stream => Enumerable.Range(0, 2).Select(node =>
            new Following(() => cluster[there[node] ? node : 1 - node].Address, stream))).ToArray();
        var n = 0;
        await PublishSome();
        foreach (var node in (int[])[0, 1])
        {
            there[node] = false;
            Assert.Equal(0, await cluster[node].Stop());
            await PublishSome();
            await cluster.Replace(node);
            there[node] = true;
            await PublishSome();
        }

        foreach (var reader in readers)
        {
            await reader.Has(n);
            Assert.Equal(Enumerable.Range(0, n + 1), reader.Numbers);
            Assert.Empty(reader.Gaps);
            Assert.Contains("SERVER_SHUTDOWN", reader.Problems);
            await reader.DisposeAsync();
        }

        async Task PublishSome()
        {
            for (var more = 0; more < 5; more++)
            {
                n++;
                foreach (var stream in streams) await cluster.Publish(there[0] ? 0 : 1, stream, n);
            }
        }
    }

    [Fact]
    public async Task When_the_owner_is_killed_readers_elsewhere_stay_connected_and_no_critical_event_is_lost()
    {
        await using var cluster = await ClusterUnderTest.Start(postgres);
        var stream = await cluster.StreamOwnedBy(1);
        await using var reader = new Following(() => cluster[0].Address, stream);
        var published = 0;
        using var enough = new CancellationTokenSource();
        var publishing = Publish();
        await reader.Has(20);

        await cluster[1].Kill();
        var killedAt = published;
        var watch = Stopwatch.StartNew();
        await Given.Until(() => Task.FromResult(published > killedAt + 1));
        output.WriteLine($"The stream went on after {watch.Elapsed.TotalSeconds:F1} s");
        await Given.Until(() => Task.FromResult(published > killedAt + 20));
        await enough.CancelAsync();
        await publishing;

        await reader.Has(published);
        Assert.Equal(Enumerable.Range(0, published + 1), reader.Numbers);
        Assert.Equal(1, reader.Connections);
        Assert.Equal(Enumerable.Range(0, published + 1), await cluster.Numbers(0, stream));

        async Task Publish()
        {
            while (!enough.IsCancellationRequested)
                await cluster.Publish(0, stream, Interlocked.Increment(ref published));
        }
    }

    [Theory]
    [InlineData(12)]
    [InlineData(40)]
    public async Task A_frozen_owner_is_fenced_off_and_ends_itself(int seconds)
    {
        Assert.SkipUnless(seconds < 20 || TestRun.IsLong, "TEST_LONG=1 runs it");
        await using var cluster = await ClusterUnderTest.Start(postgres);
        var stream = await cluster.StreamOwnedBy(1);
        await using var reader = new Following(() => cluster[0].Address, stream);
        await cluster.Publish(1, stream, 1);

        await cluster[1].Freeze();
        // In the kernel's hands: the frozen node takes it as soon as it wakes.
        using var patient = new HttpClient { Timeout = TimeSpan.FromMinutes(2) };
        var late = patient.TrySendAsync(HttpMethod.Post, cluster[1].Address, $"/api/streams/{stream}/events",
            """{"type":"tick","key":"late","critical":true,"data":-1}""");
        await cluster.Publish(0, stream, 2);
        await Task.Delay(TimeSpan.FromSeconds(seconds), TestContext.Current.CancellationToken);
        await cluster[1].Thaw();

        Assert.Equal(DeclaredDead.ExitCode, await cluster[1].Ends());
        Assert.Single(cluster[1].Log, line => line.Contains("This silo ends its process", StringComparison.Ordinal));
        var isIn = await late is { IsSuccess: true };
        await cluster.Publish(0, stream, 3);
        await reader.Has(3);
        var expected = (await cluster.Numbers(0, stream)).ToList();
        Assert.Equal(expected, reader.Numbers);
        Assert.Equal([0, 1, 2, 3], expected.Where(number => number >= 0));
        if (isIn) Assert.Contains(-1, expected);
    }

    [Fact]
    public async Task Twenty_kills_under_load_lose_no_critical_event()
    {
        Assert.SkipUnless(TestRun.IsLong, "TEST_LONG=1 runs it");
        await using var cluster = await ClusterUnderTest.Start(postgres, nodes: 3);
        string[] streams = ["a", "b", "c", "d"];
        var published = 0;
        using var enough = new CancellationTokenSource();
        var readers = streams.Select(stream => new Following(() => cluster[0].Address, stream)).ToArray();
        var publishing = Publish();
        for (var kill = 0; kill < 20; kill++)
        {
            var node = _random.Next(1, 3);
            await cluster[node].Kill();
            var before = Volatile.Read(ref published);
            await Given.Until(() => Task.FromResult(Volatile.Read(ref published) > before + 5));
            await cluster.Replace(node);
        }
        await enough.CancelAsync();
        await publishing;
        foreach (var reader in readers)
        {
            await reader.Has(published);
            Assert.Equal(Enumerable.Range(1, published), reader.Numbers);
            Assert.Equal(1, reader.Connections);
            await reader.DisposeAsync();
        }

        async Task Publish()
        {
            while (!enough.IsCancellationRequested)
            {
                var next = published + 1;
                await Task.WhenAll(streams.Select(stream => cluster.Publish(0, stream, next)));
                Volatile.Write(ref published, next);
            }
        }
    }
}
