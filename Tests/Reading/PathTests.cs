using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

/// <summary>Which way an answer goes, and that nobody can tell. All tests of reading run on each way: see
/// <see cref="TestPath"/>.</summary>
public sealed class PathTests
{
    private const string Sse = "Accept: text/event-stream\r\n";

    [Fact]
    public async Task A_read_takes_the_path_that_the_run_is_about()
    {
        await using var server = await TestServer.Start();
        await using var reader = await SseReader.Stream(server, "s");
        await reader.Next("connected");
        Assert.Equal(TestPath.Name == "tls" ? "https" : "http", server.Address.Scheme);
        Assert.Equal(TestPath.Version, reader.Version);
        // Only what goes past the web server ends with the connection.
        Assert.Equal(TestPath.Name == "fast", reader.Headers.ConnectionClose == true);
        Assert.Equal(TestPath.Name is "pipe" or "tls", reader.Headers.TransferEncodingChunked == true);
    }

    [Theory]
    [InlineData("setting")]
    [InlineData("earlier answer")]
    [InlineData("HTTP/1.0")]
    public async Task Where_the_socket_cannot_be_had_the_pipe_serves(string why)
    {
        await using var server = await TestServer.Start("--urls", "http://127.0.0.1:0",
            "--Sse:DirectSend", why == "setting" ? "false" : "true");
        await server.Numbers("s", 1, 3);
        using var connection = await server.Connect();
        if (why == "earlier answer")
        {
            await connection.Request("GET", "/healthz");
            (await connection.Receive()).Must(HttpStatusCode.OK);
        }
        var request = RawConnection.RequestText("GET", "/api/streams/s/events?after=0", headers: Sse);
        await connection.Send(why == "HTTP/1.0" ? request.Replace("HTTP/1.1", why, StringComparison.Ordinal) : request);
        var (status, headers) = await connection.ReceiveHead();
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (status, headers["Content-Type"]));
        Assert.Equal(why == "HTTP/1.0" ? null : "chunked", headers.GetValueOrDefault("Transfer-Encoding"));
        string line;
        do line = await connection.ReadLine() ?? throw new IOException("The answer ended");
        while (!line.Contains("\"seq\":3,", StringComparison.Ordinal));
        await server.Left(1);
    }

    [Theory]
    [InlineData("")]
    [InlineData("names=true")]
    [InlineData("types=a")]
    [InlineData("raw=true&names=true&types=b")]
    public async Task Every_path_sends_the_same_frames(string query)
    {
        await using var server = await TestServer.Start("--urls", "http://127.0.0.1:0;https://127.0.0.1:0",
            "--Sse:DirectSend", "true");
        await server.Numbers("s", 1, 40, "a");
        await server.Numbers("s", 41, 50, "b", critical: true);
        (await server.Post("/api/streams/s/complete")).Must(HttpStatusCode.OK);
        var expected = await Frames(server.Address);
        Assert.Contains(expected, frame => frame.Id is not null && frame.Event != "connected");
        Assert.Equal("end", expected[^1].Event);
        Assert.Equal(expected, await Frames(server.Address, HttpVersion.Version10));
        Assert.Equal(expected, await Frames(server.Address, HttpVersion.Version20));
        Assert.Equal(expected, await Frames(server.Running.Addresses[1]));
        Assert.Equal(expected, await Frames(server.Running.Addresses[1], HttpVersion.Version20));

        async Task<List<(string? Event, string? Id, string Data)>> Frames(Uri address, Version? version = null)
        {
            await using var reader = await SseReader.Open(address, $"/api/streams/s/events?after=0&{query}",
                version: version ?? HttpVersion.Version11);
            // The first frame names the connection.
            return [.. (await reader.Rest()).Skip(1).Select(frame => (frame.Event, frame.Id, frame.Data))];
        }
    }
}
