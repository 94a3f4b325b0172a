using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using OrleansEvents.Api;
using Xunit;

namespace OrleansEvents.Tests.Host;

public sealed class Http2Tests
{
    private static readonly byte[] s_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Both_versions_stream_answers_on_the_one_port(string version)
    {
        var goOn = new TaskCompletionSource();
        await using var server = await Given.Server(map: routes => routes.MapGet("/lines", async context =>
        {
            await context.Response.WriteAsync(context.Request.Protocol + "\n");
            await context.Response.Body.FlushAsync();
            await goOn.Task;
            await context.Response.WriteAsync("second\n");
        }));
        using var client = server.Client(new Version(version));
        using var answer = await client.GetAsync("/lines", HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Equal(version == "2.0" ? "HTTP/2" : "HTTP/1.1", await lines.ReadLineAsync());
        goOn.SetResult();
        Assert.Equal("second", await lines.ReadLineAsync());
        Assert.Null(await lines.ReadLineAsync());
    }

    [Fact]
    public async Task A_preface_that_comes_byte_by_byte_is_still_http2()
    {
        await using var server = await Given.Server();
        using var client = await RawHttp.Connect(server.Address);
        foreach (var one in s_preface)
            await client.GetStream().WriteAsync(new[] { one });
        await client.GetStream().WriteAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 });
        var frame = new byte[9];
        await client.GetStream().ReadExactlyAsync(frame).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        const int settings = 4;
        Assert.Equal(settings, frame[3]);
    }

    [Theory]
    [InlineData("P|OST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "405")]
    [InlineData("PR|OPFIND /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405")]
    [InlineData("G|E|T /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200")]
    public async Task What_only_begins_like_the_preface_is_http1(string request, string status)
    {
        await using var server = await Given.Server();
        var answer = await RawHttp.Exchange(server.Address, [.. request.Split('|').Select(Encoding.ASCII.GetBytes)]);
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("PRI * HT")]
    public async Task A_connection_that_stays_silent_is_ended(string said)
    {
        var isTaken = false;
        var input = new Pipe();
        await input.Writer.WriteAsync(Encoding.ASCII.GetBytes(said));
        var pipe = new DuplexPipe(input.Reader);
        await using var connection = new DefaultConnectionContext("c", pipe, pipe);
        var step = new Http2Cleartext(_ =>
        {
            isTaken = true;
            return Task.CompletedTask;
        }, TimeSpan.FromMilliseconds(20));
        await step.OnConnectionAsync(connection).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(isTaken);
    }

    [Fact]
    public async Task A_silent_connection_does_not_hold_up_a_stop()
    {
        var server = await Given.Server(["--Shutdown:Drain", "60"]);
        using var client = await RawHttp.Connect(server.Address);
        // Connections are accepted in order: once another is answered, the silent one is inside.
        using var http = server.Client();
        await http.GetAsync("/healthz");
        await server.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));
    }

    private sealed class DuplexPipe(PipeReader input) : IDuplexPipe
    {
        public PipeReader Input => input;
        public PipeWriter Output { get; } = new Pipe().Writer;
    }
}
