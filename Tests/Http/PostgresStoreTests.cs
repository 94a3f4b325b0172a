using System.Net;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>The server on PostgreSQL.</summary>
public sealed class PostgresStoreTests(PostgresServer postgres)
{
    [Fact]
    public async Task What_a_server_has_taken_comes_back_after_a_restart()
    {
        var options = await postgres.NewSchema();
        await using (var server = await TestServer.Start("--store", "postgres", "--postgres", options.Connection))
        {
            (await server.Put("/api/streams/s", """{"buffer":50}""")).Must(HttpStatusCode.Created);
            await server.Poll("s", "subscriber=bill");
            await server.Publish("s", $"[{Given.Event(1)},{Given.Critical(2)}]");
            await server.Publish("s", """{"type":"error_event","data":3,"key":"k"}""");
            var first = (await server.Poll("s", "subscriber=bill")).GetProperty("events")[0].GetProperty("id");
            (await server.Post("/api/streams/s/subscribers/bill/ack", $$"""{"ids":[{{first.GetRawText()}}]}"""))
                .Must(HttpStatusCode.OK);

            await server.Restart();

            Assert.Equal(["1", "2", "3"], await server.DataOf("s"));
            Assert.Equal(50, (await server.GetJson("/api/streams/s")).GetProperty("settings").GetProperty("buffer")
                .GetInt32());
            var again = await server.Publish("s", """{"type":"error_event","data":3,"key":"k"}""");
            Assert.Equal(1, again.GetProperty("duplicates").GetInt32());
            var owed = (await server.Poll("s", "subscriber=bill")).GetProperty("events").EnumerateArray()
                .Where(each => each.GetProperty("critical").GetBoolean());
            Assert.Equal("3", Assert.Single(owed).GetProperty("data").GetRawText());
        }
        await PostgresServer.Drop(options);
    }

    [Fact]
    public async Task Of_two_servers_on_one_database_only_the_last_that_opened_a_stream_writes_to_it()
    {
        var options = await postgres.NewSchema();
        await using (var first = await TestServer.Start("--store", "postgres", "--postgres", options.Connection))
        await using (var second = await TestServer.Start("--store", "postgres", "--postgres", options.Connection))
        {
            await first.Publish("s", Given.Critical(1));
            await second.Publish("s", Given.Critical(2));
            Assert.Equal(503, (int)(await first.TryPublish("s", Given.Critical(3))).Status);
            Assert.Equal(["1", "2"], await second.DataOf("s"));
        }
        await PostgresServer.Drop(options);
    }
}
