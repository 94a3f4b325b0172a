namespace OrleansEvents.Tests.Http;

/// <summary>Publishes CloudEvents in the three modes of their HTTP binding.</summary>
internal static class CloudEventPublishing
{
    public static readonly (string, string)[] Required =
        [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];

    public static Task<Answer> Structured(this TestServer server, string stream, string json,
        params (string, string)[] headers) =>
        server.Send(stream, "application/cloudevents+json", System.Text.Encoding.UTF8.GetBytes(json), headers);

    public static Task<Answer> Batch(this TestServer server, string stream, string json) =>
        server.Send(stream, "application/cloudevents-batch+json", System.Text.Encoding.UTF8.GetBytes(json));

    public static Task<Answer> Binary(this TestServer server, string stream, string? contentType, byte[] body,
        params (string, string)[] headers) => server.Send(stream, contentType, body, headers);

    private static async Task<Answer> Send(this TestServer server, string stream, string? contentType, byte[] body,
        params (string, string)[] headers)
    {
        using var content = new ByteArrayContent(body);
        if (contentType is not null) content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return await server.Send(HttpMethod.Post, $"/api/streams/{stream}/events", content, headers);
    }
}
