using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace OrleansEvents.Tests.Crash;

/// <summary>An answer: its status, its body, and after how long to come back.</summary>
internal sealed record Answer(HttpStatusCode Status, JsonElement Json, TimeSpan? RetryAfter)
{
    public bool IsSuccess => (int)Status is >= 200 and < 300;

    public string? Code => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty("code", out var code)
        ? code.GetString() : null;

    public override string ToString() => $"{(int)Status} {Json}";
}

/// <summary>Requests to a server that may die at any moment.</summary>
internal static class EventsHttp
{
    public static HttpClient NewClient() =>
        new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(10) })
        {
            Timeout = TimeSpan.FromSeconds(30),
        };

    public static async Task<Answer> SendAsync(
        this HttpClient http, HttpMethod method, Uri address, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(address, path));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }
        using var answer = await http.SendAsync(request);
        var bytes = await answer.Content.ReadAsByteArrayAsync();
        var json = bytes.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(bytes);
        return new Answer(answer.StatusCode, json, answer.Headers.RetryAfter?.Delta);
    }

    /// <summary>Null when the connection broke or was never made: nobody knows what came of it.</summary>
    public static async Task<Answer?> TrySendAsync(
        this HttpClient http, HttpMethod method, Uri address, string path, string? body = null)
    {
        try
        {
            return await http.SendAsync(method, address, path, body);
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException)
        {
            return null;
        }
    }

    public static Task<Answer> GetAsync(this HttpClient http, Uri address, string path) =>
        http.SendAsync(HttpMethod.Get, address, path);

    public static Task<Answer> PublishAsync(this HttpClient http, Uri address, string stream, string body) =>
        http.SendAsync(HttpMethod.Post, address, $"/api/streams/{stream}/events", body);

    public static Task<Answer> AckAsync(
        this HttpClient http, Uri address, string stream, string subscriber, IEnumerable<string> ids) =>
        http.SendAsync(HttpMethod.Post, address, AckPath(stream, subscriber), AckBody(ids));

    public static string AckPath(string stream, string subscriber) =>
        $"/api/streams/{stream}/subscribers/{subscriber}/ack";

    public static string AckBody(IEnumerable<string> ids) =>
        new JsonObject { ["ids"] = new JsonArray([.. ids.Select(id => (JsonNode)id)]) }.ToJsonString();

    /// <summary>All that a subscriber is owed, page by page.</summary>
    public static async Task<List<JsonElement>> PendingAsync(
        this HttpClient http, Uri address, string stream, string subscriber)
    {
        var owed = new List<JsonElement>();
        var after = "0";
        while (true)
        {
            var page = await http.GetAsync(
                address, $"/api/streams/{stream}/subscribers/{subscriber}/pending?limit=1000&after={after}");
            if (!page.IsSuccess) throw new InvalidOperationException(page.ToString());
            owed.AddRange(page.Json.GetProperty("events").EnumerateArray());
            if (!page.Json.GetProperty("more").GetBoolean()) return owed;
            after = page.Json.GetProperty("cursor").GetString()!;
        }
    }
}
