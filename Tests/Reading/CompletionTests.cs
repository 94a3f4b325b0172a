using System.Net;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

public sealed class CompletionTests
{
    [Fact]
    public async Task Readers_get_the_rest_then_the_end_and_nothing_when_they_come_back()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 3);
        await using var live = await SseReader.Stream(server, "s");
        await live.Events(3);
        await server.Numbers("s", 4, 5);
        (await server.Post("/api/streams/s/complete")).Must(HttpStatusCode.OK);
        await using var late = await SseReader.Stream(server, "s");
        foreach (var reader in new[] { live, late })
        {
            await reader.Rest();
            Assert.True(reader.IsWhole);
            var end = reader.Frames[^1];
            Assert.Equal(("end", "s", "completed"), (end.Event, end.Text("stream"), end.Text("reason")));
            Assert.Equal(end.Id, end.Text("head"));
            Assert.Equal(1.To(5), reader.Frames.Where(frame => frame.IsEvent).Numbers());
            await using var back = await SseReader.Stream(server, "s", lastEventId: end.Id);
            Assert.Equal(HttpStatusCode.NoContent, back.Status);
            Assert.Equal("", await back.Text());
        }
        await using var behind = await SseReader.Stream(server, "s", lastEventId: late.Frames[4].Id);
        Assert.Equal([5], (await behind.Rest()).Where(frame => frame.IsEvent).Numbers());
    }

    [Fact]
    public async Task A_list_ends_when_all_of_it_has_and_a_pattern_does_not()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("a", 1, 1);
        await server.Numbers("b", 2, 2);
        await using var list = await SseReader.Many(server, "a,b");
        await using var pattern = await SseReader.Many(server, ">");
        await list.Events(2);
        await pattern.Events(2);
        await server.Post("/api/streams/a/complete");
        Assert.Equal("a", (await list.Next("end")).Text("stream"));
        await using var half = await SseReader.Many(server, "a,b", lastEventId: list.LastId);
        Assert.Equal(HttpStatusCode.OK, half.Status);
        await server.Post("/api/streams/b/complete");
        Assert.Equal("b", (await list.Rest()).Last(frame => frame.Event == "end").Text("stream"));
        await using var back = await SseReader.Many(server, "a,b", lastEventId: list.LastId);
        Assert.Equal(HttpStatusCode.NoContent, back.Status);
        await pattern.Next("end");
        await pattern.Next("end");
        await server.Numbers("c", 3, 3);
        Assert.Equal([3], (await pattern.Events(1)).Numbers());
    }

    [Fact]
    public async Task After_a_deletion_readers_are_ended_and_later_ones_are_stopped_until_it_is_made_again()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("s", 1, 3);
        await using var reader = await SseReader.Stream(server, "s");
        await reader.Events(3);
        (await server.Delete("/api/streams/s")).Must(HttpStatusCode.NoContent);
        var end = (await reader.Rest()).Single();
        Assert.Equal(("end", "deleted"), (end.Event, end.Text("reason")));
        foreach (var query in new[] { "", "subscriber=a" })
        {
            await using var later = await SseReader.Stream(server, "s", query, end.Id);
            Assert.Equal(HttpStatusCode.NoContent, later.Status);
        }
        (await server.Get("/api/streams/s")).MustRefuse(404, "NOT_FOUND");
        await server.Numbers("s", 4, 4);
        await using var again = await SseReader.Stream(server, "s", lastEventId: end.Id);
        Assert.Equal("reset", (await again.Next("gap")).Text("reason"));
        Assert.Equal([4], (await again.Events(1)).Numbers());
    }

    [Fact]
    public async Task A_list_goes_on_with_a_stream_that_is_made_again()
    {
        await using var server = await TestServer.Start();
        await server.Numbers("a", 1, 1);
        await server.Numbers("b", 2, 2);
        await server.Delete("/api/streams/a");
        await using var reader = await SseReader.Many(server, "a,b");
        Assert.Equal("deleted", (await reader.Next("end")).Text("reason"));
        await reader.Events(1);
        await server.Numbers("a", 3, 3);
        Assert.Equal([3], (await reader.Events(1)).Numbers());
    }

    [Fact]
    public async Task A_stream_that_is_completed_while_readers_begin_ends_for_all_of_them()
    {
        await using var server = await TestServer.Start();
        for (var round = 0; round < 10; round++)
        {
            var stream = $"s{round}";
            await server.Numbers(stream, 1, 5);
            var readers = Enumerable.Range(0, 4).Select(async _ =>
            {
                await using var reader = await SseReader.Stream(server, stream);
                Assert.Equal(1.To(5), (await reader.Rest()).Where(frame => frame.IsEvent).Numbers());
                Assert.Equal("end", reader.Frames[^1].Event);
            }).ToList();
            await server.Post($"/api/streams/{stream}/complete");
            await Task.WhenAll(readers);
        }
    }
}
