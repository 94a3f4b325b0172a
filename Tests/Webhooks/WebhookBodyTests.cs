using System.Text;
using OrleansEvents.Api.Webhooks;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Webhooks;

public sealed class WebhookBodyTests
{
    private const string Id = "AAAAAAAAAAEAAAAAAAAq";
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    public void An_event_is_sent_as_readers_get_it()
    {
        var json = EventJson("{\"a\":[1,\"}\"]}", $",\"key\":\"k\",\"traceparent\":\"{Trace}\"");
        var message = Make(json);
        Assert.Equal(json, Encoding.UTF8.GetString(message.Body.Span));
        Assert.Equal(Trace, message.TraceParent);
        Assert.Equal(WebhookBody.IdOf("orders", "billing", Id), message.Id);
    }

    [Fact]
    public void The_second_attempt_is_told()
    {
        var message = Make(EventJson("1"), attempt: 2);
        Assert.EndsWith(",\"data\":1,\"attempt\":2}", Encoding.UTF8.GetString(message.Body.Span),
            StringComparison.Ordinal);
        Assert.Null(message.TraceParent);
        Assert.Equal(Make(EventJson("1")).Id, message.Id);
    }

    [Fact]
    public void A_CloudEvent_is_made_of_an_event() => Same(
        $$$"""
        {"specversion":"1.0","id":"{{{Id}}}","source":"/api/streams/orders","type":"paid \"x\"",
        "time":"2026-11-21T10:00:00.000Z","datacontenttype":"application/json","data":{"a":[1,"}"]}}
        """,
        CloudEvent(EventJson("{\"a\":[1,\"}\"]}")));

    [Fact]
    public void A_CloudEvent_keeps_the_attributes_that_it_was_published_with() => Same(
        $$"""
        {"specversion":"1.0","id":"my-1","source":"https://shop.example/","type":"paid \"x\"",
        "subject":"order/1","time":"2026-11-21T10:00:00.000Z","datacontenttype":"text/plain","mine":true,
        "traceparent":"{{Trace}}","data":"text"}
        """,
        CloudEvent(EventJson("\"text\"", $",\"traceparent\":\"{Trace}\",\"cloudevent\":{{\"id\":\"my-1\","
            + "\"source\":\"https://shop.example/\",\"datacontenttype\":\"text/plain\",\"subject\":\"order/1\","
            + "\"mine\":true}")));

    [Fact]
    public void A_CloudEvent_of_bytes_keeps_them() => Assert.EndsWith(
        ""","datacontenttype":"image/png","data_base64":"AAEC"}""",
        CloudEvent(EventJson("\"AAEC\"",
            ",\"cloudevent\":{\"datacontenttype\":\"image/png\",\"data_base64\":true}")),
        StringComparison.Ordinal);

    private static void Same(string lines, string json) =>
        Assert.Equal(lines.Replace("\n", "", StringComparison.Ordinal), json);

    private static string CloudEvent(string json) =>
        Encoding.UTF8.GetString(Make(json, asCloudEvent: true).Body.Span);

    private static string EventJson(string data, string more = "") =>
        $"{{\"id\":\"{Id}\",\"seq\":42,\"stream\":\"orders\",\"type\":\"paid \\\"x\\\"\",\"version\":1,"
        + $"\"time\":\"2026-11-21T10:00:00.000Z\",\"critical\":true,\"data\":{data}{more}}}";

    private static WebhookMessage Make(string json, int attempt = 1, bool asCloudEvent = false)
    {
        var frame = Encoding.UTF8.GetBytes($"id: {Id}\ndata: {json}\n\n");
        var slot = new EventSlot(42, 0, 0, frame.Length, (0, 0), (0, 0), critical: true);
        return WebhookBody.Make("orders", "billing", frame, slot, attempt, asCloudEvent);
    }
}
