using System.Net;
using System.Net.Sockets;
using System.Text;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

/// <summary>Connections whose response goes on without the web server, and what must not be seen of that.</summary>
public sealed class TakenConnectionTests
{
    private static readonly string[] s_plain = ["--urls", "http://127.0.0.1:0", "--Sse:DirectSend", "true"];

    [Fact]
    public async Task Connections_that_are_read_count_among_the_open_ones()
    {
        await using var server = await TestServer.Start([.. s_plain, "--Limits:Connections", "2"]);
        using var first = await Reading(server);
        using (var second = await Reading(server)) Assert.Equal(0, await BytesOfAnother(server));
        await server.Left(1);
        await Given.Until(async () => await BytesOfAnother(server) > 0);
    }

    [Fact]
    public async Task What_a_reader_sends_behind_its_request_is_passed_over()
    {
        await using var server = await TestServer.Start(s_plain);
        using var reader = await Reading(server);
        await reader.Request("GET", "/healthz");
        await reader.Request("GET", "/healthz");
        await server.Numbers("s", 1, 1);
        await reader.ReadUntil("\"seq\":1,");
        await server.Left(1);
    }

    [Fact]
    public async Task Who_keeps_sending_is_no_reader()
    {
        await using var server = await TestServer.Start(s_plain);
        using var reader = await Reading(server);
        var much = Encoding.ASCII.GetBytes(new string('x', 100_000));
        try
        {
            await reader.Send(much);
        }
        catch (IOException)
        {
            // The server was quicker to cut it.
        }
        await server.Left(0);
    }

    [Theory]
    [InlineData("reset")]
    [InlineData("end of sending")]
    public async Task A_reader_that_leaves_is_noticed_at_once(string how)
    {
        await using var server = await TestServer.Start(s_plain);
        using var reader = await Reading(server);
        await server.Left(1);
        if (how == "reset") reader.Cut();
        else reader.EndSending();
        await server.Left(0);
        await Given.Until(() => server.Connections().Counts.Disconnects.Total == 1);
    }

    [Fact]
    public async Task The_last_frame_reaches_a_reader_before_the_connection_ends()
    {
        await using var server = await TestServer.Start(s_plain);
        await server.Numbers("s", 1, 1);
        using var reader = await Reading(server);
        var stopping = server.Stop();
        await reader.ReadUntil("SERVER_SHUTDOWN");
        // The end is the orderly one: a reset would throw.
        while (await reader.ReadLine() is not null)
        {
        }
        await stopping;
    }

    [Fact]
    public async Task A_stop_waits_for_a_reader_that_takes_nothing_and_then_cuts_it()
    {
        await using var server = await TestServer.Start([.. s_plain, "--Shutdown:Drain", "0.2"]);
        using var reader = await RawConnection.Open(server.Address, receiveBuffer: 4096);
        await reader.Request("GET", "/api/streams/s/events?after=0", headers: "Accept: text/event-stream\r\n");
        await server.Left(1);
        var connections = server.Connections();
        var large = new string('x', 60_000);
        await Given.Until(async () =>
        {
            await server.Publish("s", $$"""{"type":"t","data":"{{large}}"}""");
            return connections.All.Any(each => each.BlockedSinceMs is not null);
        });
        await server.Stop();
        Assert.Empty(connections.All);
    }

    /// <summary>What a connection is sent; nothing where it is closed at once, even before it is known to be
    /// open.</summary>
    private static async Task<int> BytesOfAnother(TestServer server)
    {
        try
        {
            using var another = await server.Connect();
            await another.Request("GET", "/healthz", headers: "Connection: close\r\n");
            return await another.BytesToEnd();
        }
        catch (Exception closed) when (closed is SocketException or IOException)
        {
            return 0;
        }
    }

    private static async Task<RawConnection> Reading(TestServer server)
    {
        var connection = await server.Connect();
        await connection.Request("GET", "/api/streams/s/events", headers: "Accept: text/event-stream\r\n");
        var (status, headers) = await connection.ReceiveHead();
        Assert.Equal((HttpStatusCode.OK, "close"), (status, headers["Connection"]));
        await connection.ReadUntil("event: connected");
        return connection;
    }
}
