using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Reading;
using Xunit;
using static OrleansEvents.Tests.Http.RawConnection;

namespace OrleansEvents.Tests.Http;

/// <summary>Answers to pipelined requests leave together, and none is late for that.</summary>
public sealed class HeldOutputTests : IAsyncLifetime
{
    private static readonly string s_publish = RequestText("POST", "/api/streams/s/events", Given.Event(1));
    private readonly StallingLog _log = StallingLog.Over(new MemoryEventLog());
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartWith(services => services.AddSingleton(_log.Log));
        await _server.Publish("s", Given.Critical(1));
    }

    public async ValueTask DisposeAsync()
    {
        _log.GoOn();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task An_answer_does_not_wait_for_a_poll_behind_it()
    {
        var last = (await _server.Publish("other", Given.Event(1))).GetProperty("cursor");
        using var connection = await _server.Connect();
        await connection.Send(s_publish + RequestText("GET", $"/api/streams/other/events?after={last}&wait=30")
            + s_publish);
        (await connection.Receive()).Must(HttpStatusCode.Created);
        await _server.Publish("other", Given.Event(2));
        var page = (await connection.Receive()).Must(HttpStatusCode.OK).Json;
        // What was published when the first answer had come.
        Assert.Equal(1, page.GetProperty("events").GetArrayLength());
        (await connection.Receive()).Must(HttpStatusCode.Created);
    }

    [Fact]
    public async Task An_answer_does_not_wait_for_storage_that_the_next_publish_waits_for()
    {
        _log.Stall(nameof(IEventLog.Append));
        using var connection = await _server.Connect();
        await connection.Send(s_publish + RequestText("POST", "/api/streams/s/events", Given.Critical(2)) + s_publish);
        (await connection.Receive()).Must(HttpStatusCode.Created);
        _log.GoOn();
        for (var i = 0; i < 2; i++) (await connection.Receive()).Must(HttpStatusCode.Created);
    }

    [Fact]
    public async Task An_answer_does_not_wait_for_the_rest_of_the_next_request()
    {
        using var connection = await _server.Connect();
        for (var cut = 1; cut < s_publish.Length; cut++)
        {
            await connection.Send(s_publish + s_publish[..cut]);
            (await connection.Receive()).Must(HttpStatusCode.Created);
            await connection.Send(s_publish[cut..]);
            (await connection.Receive()).Must(HttpStatusCode.Created);
        }
    }

    [Fact]
    public async Task An_answer_comes_before_that_of_a_reader_who_stays()
    {
        using var connection = await _server.Connect();
        await connection.Send(s_publish + RequestText("GET", "/api/streams/s/events?after=0",
            headers: "Accept: text/event-stream\r\n") + s_publish);
        (await connection.Receive()).Must(HttpStatusCode.Created);
        Assert.Equal(HttpStatusCode.OK, (await connection.ReceiveHead()).Status);
    }

    [Fact]
    public async Task Answers_come_before_that_to_nonsense_and_the_end()
    {
        using var connection = await _server.Connect();
        await connection.Send(s_publish + s_publish + "nonsense\r\n\r\n" + s_publish);
        for (var i = 0; i < 2; i++) (await connection.Receive()).Must(HttpStatusCode.Created);
        Assert.Equal(HttpStatusCode.BadRequest, (await connection.Receive()).Status);
        Assert.Null(await connection.ReadLine());
    }

    [Fact]
    public async Task Thousands_in_a_pipeline_are_all_answered()
    {
        const int Requests = 5000;
        using var connection = await _server.Connect();
        var sending = connection.Send(string.Concat(Enumerable.Repeat(s_publish, Requests)));
        for (var i = 0; i < Requests; i++) (await connection.Receive()).Must(HttpStatusCode.Created);
        await sending;
    }
}
