using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class DisconnectTests
{
    [Theory]
    [InlineData("1.1", "true")]
    [InlineData("1.1", "false")]
    [InlineData("2.0", "true")]
    public async Task A_client_that_goes_away_is_told_of_on_system(string version, string direct)
    {
        await using var server = await TestServer.Start("--Sse:DirectSend", direct);
        await using var system = await SseReader.Stream(server, "$system");
        await system.Next("connected");
        string connection;
        await using (var reader = await SseReader.Stream(server, "s", "subscriber=bob&client=tab",
            version: new Version(version)))
            connection = await reader.Connected();
        var said = (await system.Events(1))[0];
        Assert.Equal(("connection_error", "CLIENT_DISCONNECTED"), (said.Text("type"), said.Code()));
        Assert.Equal((connection, "s", "bob", "tab"), (said.Trouble("connection"), said.Trouble("stream"),
            said.Trouble("subscriber"), said.Trouble("client")));
        Assert.Equal((1, 0), (server.Connections().Counts.Disconnects.Total,
            server.Connections().Counts.Faults.Total));
    }

    [Fact]
    public async Task What_the_server_ends_is_no_disconnect()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 1);
        await using (var reader = await SseReader.Stream(server, "s"))
        {
            await reader.Next("connected");
            await server.Post("/api/streams/s/complete");
            await reader.Rest();
        }
        await server.Left(0);
        await Leave(server, "other");
        await using var system = await SseReader.Stream(server, "$system");
        Assert.Equal("other", (await system.Events(1))[0].Trouble("stream"));
        Assert.Equal(1, server.Connections().Counts.Disconnects.Total);
    }

    [Fact]
    public async Task Who_watches_the_system_is_only_counted()
    {
        await using var server = await TestServer.Start();
        await Leave(server, "$system");
        await using (var many = await SseReader.Many(server, "s,$system")) await many.Next("connected");
        await server.Left(0);
        await Leave(server, "s");
        await using var system = await SseReader.Stream(server, "$system");
        Assert.Equal("s", (await system.Events(1))[0].Trouble("stream"));
        await Given.Until(() => server.Connections().Counts.Disconnects.Total == 3);
    }

    [Fact]
    public async Task Of_many_that_go_away_at_once_only_some_are_told_one_by_one()
    {
        await using var server = await TestServer.Start("--Sse:Troubles", "3", "--Sse:TroubleWindow", "3600");
        for (var i = 0; i < 20; i++) await Leave(server, $"s{i}");
        await Given.Until(() => server.Connections().Counts.Disconnects.Total == 20);
        await Given.Until(async () => (await server.Events("$system")).Length == 3);
    }

    [Fact]
    public async Task The_others_that_go_away_are_told_by_their_number()
    {
        await using var server = await TestServer.Start("--Sse:Troubles", "0", "--Sse:TroubleWindow", "0.2");
        await using var system = await SseReader.Stream(server, "$system");
        await system.Next("connected");
        for (var i = 0; i < 20; i++) await Leave(server, "s");
        for (var told = 0; told < 20;)
        {
            var said = (await system.Events(1))[0];
            Assert.Equal("CLIENT_DISCONNECTED", said.Code());
            told += said.Json.GetProperty("data").GetProperty("count").GetInt32();
            Assert.InRange(told, 1, 20);
        }
    }

    private static async Task Leave(TestServer server, string stream)
    {
        var others = server.Connections().Count;
        await using (var reader = await SseReader.Stream(server, stream)) await reader.Next("connected");
        await server.Left(others);
    }
}
