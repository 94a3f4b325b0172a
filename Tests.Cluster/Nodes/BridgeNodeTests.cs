using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.Streams;
using OrleansEvents.Grains.Bridge;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Tests.Storage;
using Xunit;
using static OrleansEvents.Tests.Cluster.Bridge.FollowerGrains;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>A program that is an Orleans client of real nodes, whose subscriptions are in PostgreSQL.</summary>
[Collection("Processes")]
public sealed class BridgeNodeTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_client_of_the_nodes_publishes_and_follows_and_goes_on_when_one_is_killed()
    {
        await using var cluster = await ClusterUnderTest.Start(postgres);
        using var host = await Connect(cluster.Connection);
        var client = host.Services.GetRequiredService<IClusterClient>();
        var streams = new List<IAsyncStream<GrainEvent>>();
        var seen = new ConcurrentQueue<(int Stream, GrainEvent Item)>();
        for (var i = 0; i < 6; i++)
        {
            // Of either node, with one critical event that nobody followed.
            var (no, name) = (i, await cluster.StreamOwnedBy(i % 2));
            streams.Add(client.GetStreamProvider("events").GetStream<GrainEvent>(StreamId.Create("events", name)));
            await streams[i].SubscribeAsync((item, _) =>
            {
                seen.Enqueue((no, item));
                return Task.CompletedTask;
            });
            await Publish(streams[i], 1);
        }
        for (var i = 0; i < 6; i++) await Has(i, 1);

        await cluster[1].Kill();

        for (var i = 0; i < 6; i++) await Publish(streams[i], 2);
        for (var i = 0; i < 6; i++)
        {
            await Has(i, 2);
            Assert.Equal([1, 2], Numbers(i).Distinct());
        }
        await host.StopAsync();

        IEnumerable<int> Numbers(int stream) => seen.Where(each => each.Stream == stream && each.Item.IsEvent)
            .Select(each => each.Item.DataAs<Number>()!.N);
        Task Has(int stream, int n) => Given.Until(() => Task.FromResult(Numbers(stream).Contains(n)));
    }

    private static Task Publish(IAsyncStream<GrainEvent> stream, int n) => Given.Until(async () =>
    {
        try
        {
            await stream.OnNextAsync(Note(n, critical: true, key: $"n{n}"));
            return true;
        }
        catch (Exception e) when (e is EventRefusedException or OrleansException or TimeoutException)
        {
            return false;
        }
    });

    private static async Task<IHost> Connect(string connection)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        builder.UseOrleansClient(client =>
        {
            client.UseAdoNetClustering(adoNet => (adoNet.Invariant, adoNet.ConnectionString) = ("Npgsql",
                PostgresConnection.Of(new PostgresOptions { Connection = connection }).ConnectionString));
            client.Configure<ClusterOptions>(names => (names.ClusterId, names.ServiceId) = ("events", "events"));
            client.Configure<GatewayOptions>(gateways => gateways.GatewayListRefreshPeriod = TimeSpan.FromSeconds(1));
            client.Configure<ClientMessagingOptions>(calls => calls.ResponseTimeout = TimeSpan.FromSeconds(6));
            client.AddEventStreams(new BridgeOptions());
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }
}
