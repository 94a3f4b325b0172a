using System.Net;
using System.Net.Sockets;
using OrleansEvents.Api;
using OrleansEvents.Api.Options;
using OrleansEvents.Silo;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Cluster.Nodes;

/// <summary>A node that cannot start says why in one line, whichever of its parts it was.</summary>
public sealed class StartRefusalTests(PostgresServer postgres) : IDisposable
{
    private readonly TcpListener _taken = new(IPAddress.Loopback, 0);

    [Theory]
    [InlineData("--postgres: needs a connection string")]
    [InlineData("--postgres: The connection string names no Host.", "--postgres", "Database=events")]
    [InlineData("--postgres: ", "--postgres", "nonsense")]
    [InlineData("PostgreSQL cannot be used: Failed to connect to 127.0.0.1:1", "--postgres", "Host=127.0.0.1;Port=1")]
    [InlineData("--store: a cluster's events are in PostgreSQL", "--store", "sqlite")]
    public async Task Without_its_database_a_node_does_not_start(string reason, params string[] options) =>
        Assert.StartsWith(reason, await Refusal(options), StringComparison.Ordinal);

    [Theory]
    [InlineData("--silo-port: 127.0.0.1:{0} is in use by another process", "--silo-port", "{0}")]
    [InlineData("--gateway-port: 127.0.0.1:{0} is in use by another process", "--gateway-port", "{0}")]
    [InlineData("--urls: http://127.0.0.1:{0} is in use by another process", "--urls", "http://127.0.0.1:{0}")]
    [InlineData("--advertise: 'nowhere.invalid' is not an address and names none", "--advertise", "nowhere.invalid")]
    [InlineData("--role: 'boss' is not one of node, edge", "--role", "boss")]
    [InlineData("--role edge: no node of cluster events takes connections: ", "--role", "edge",
        "--Cluster:JoinTimeout", "1")]
    public async Task What_else_a_node_cannot_have_is_named(string reason, params string[] options)
    {
        _taken.Start();
        var port = ((IPEndPoint)_taken.LocalEndpoint).Port.ToString(null as IFormatProvider);
        var schema = await postgres.NewSchema();
        var refusal = await Refusal(["--postgres", schema.Connection,
            .. options.Select(each => each.Replace("{0}", port, StringComparison.Ordinal))]);
        Assert.StartsWith(reason.Replace("{0}", port, StringComparison.Ordinal), refusal, StringComparison.Ordinal);
        await PostgresServer.Drop(schema);
    }

    [Fact]
    public async Task The_embedded_server_has_no_options_of_a_node() => Assert.StartsWith(
        "--silo-port: there is no such option", (await Assert.ThrowsAsync<StartRefusedException>(() =>
            ApiHost.StartAsync(["--silo-port", "1"]))).Message, StringComparison.Ordinal);

    public void Dispose() => _taken.Dispose();

    private static async Task<string> Refusal(string[] options) =>
        (await Assert.ThrowsAsync<StartRefusedException>(() => ApiHost.StartAsync(["--urls", "http://127.0.0.1:0",
            "--silo-port", "0", "--gateway-port", "0", .. options], engine: SiloHost.Engine))).Message;
}
