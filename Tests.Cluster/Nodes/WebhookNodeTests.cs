using OrleansEvents.Tests.Crash;
using OrleansEvents.Tests.Storage;
using OrleansEvents.Tests.Webhooks;
using Xunit;
using Hook = OrleansEvents.Tests.Webhooks.Given;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>Pushing when nodes are killed.</summary>
[Collection("Processes")]
public sealed class WebhookNodeTests(PostgresServer postgres)
{
    private static readonly string[] s_options = ["--Webhooks:AllowPrivateAddresses", "true",
        "--Webhooks:CircuitOpen", "0.1", "--Webhooks:CircuitOpenMax", "0.2"];

    [Fact]
    public async Task When_its_node_is_killed_a_subscriber_is_reminded_elsewhere_and_pushed_to_though_nobody_asks()
    {
        var status = 500;
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, Volatile.Read(ref status)));
        await using var cluster = await ClusterUnderTest.Start(postgres, 2,
            [.. s_options, "--Cluster:RemindEvery", "2"]);
        var stream = await PushedBy(cluster, 1, receiver);
        await Given.Until(() => Task.FromResult(receiver.Requests.Count > 1));

        await cluster[1].Kill();
        Volatile.Write(ref status, 200);
        receiver.Requests.Clear();
        await Given.Until(() => Task.FromResult(!receiver.Requests.IsEmpty));
        Assert.True(cluster[0].HasOpened(stream));
        await Given.Until(async () => await PendingOf(cluster, stream) == 0);
        Assert.Single(receiver.Requests.Select(request => request.Headers["webhook-id"]).Distinct());
    }

    [Fact]
    public async Task When_all_were_killed_what_is_owed_is_pushed_by_those_that_start_though_nobody_asks()
    {
        var status = 500;
        await using var receiver = new WebhookReceiver((_, connection) =>
            WebhookReceiver.AnswerStatus(connection, Volatile.Read(ref status)));
        await using var cluster = await ClusterUnderTest.Start(postgres, 2,
            [.. s_options, "--Cluster:RemindEvery", "3600"]);
        var stream = await PushedBy(cluster, 0, receiver);
        await Given.Until(() => Task.FromResult(receiver.Requests.Count > 1));

        await Task.WhenAll(cluster.Nodes.Select(node => node.Kill()));
        Volatile.Write(ref status, 200);
        receiver.Requests.Clear();
        await cluster.StartAgain();
        await Given.Until(() => Task.FromResult(!receiver.Requests.IsEmpty));
        await Given.Until(async () => await PendingOf(cluster, stream) == 0);
    }

    /// <summary>A stream that a node owns, with an event owed to a subscriber with a webhook that lives there
    /// too.</summary>
    private static async Task<string> PushedBy(ClusterUnderTest cluster, int node, WebhookReceiver receiver)
    {
        while (true)
        {
            var stream = await cluster.StreamOwnedBy(node);
            var path = $"/api/streams/{stream}/subscribers/hook";
            var webhook = $$"""{"url":"{{receiver.Url}}","secret":"{{Hook.Secret}}"}""";
            await Given.Until(async () => await cluster.Http.TrySendAsync(HttpMethod.Put, cluster[node].Address, path,
                $$"""{"webhook":{{webhook}},"backoff":[0.1],"maxAttempts":100}""") is { IsSuccess: true });
            var registered = $"Stream {stream}: subscriber hook registered";
            await Given.Until(() => Task.FromResult(cluster.Nodes.Any(each => Says(each, registered))));
            if (Says(cluster[node], registered)) return stream;
            await cluster.Http.TrySendAsync(HttpMethod.Delete, cluster[node].Address, path, null);
            receiver.Requests.Clear();
        }
    }

    private static bool Says(SiloProcess node, string text) =>
        node.Log.Any(line => line.Contains(text, StringComparison.Ordinal));

    private static async Task<int?> PendingOf(ClusterUnderTest cluster, string stream) =>
        await cluster.Http.TrySendAsync(HttpMethod.Get, cluster[0].Address,
            $"/api/streams/{stream}/subscribers/hook") is { IsSuccess: true } known
            ? known.Json.GetProperty("pending").GetInt32() : null;
}
