using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>Open connections: how they do, and whether their event path works.</summary>
internal static class ConnectionsEndpoints
{
    private const int MostIdLength = 100;
    private const int BodyBytes = 4096;

    public static void Map(IEndpointRouteBuilder routes)
    {
        var one = routes.MapGroup("/api/connections/{id}").AddEndpointFilter<StreamNameFilter>();
        one.MapGet("", Describe);
        one.MapPost("/ping", Ping);
        one.MapPost("/pong", Pong);
        one.MapPost("/test", Test);
    }

    private static Task Describe(HttpContext http, string id, ConnectionTable connections) =>
        connections.Find(id) is { } connection
            ? JsonAnswer.Write(http, StatusCodes.Status200OK, connection, static (json, it) => it.WriteTo(json))
            : Problem.Write(http, Unknown(id));

    private static Task Ping(HttpContext http, string id, ConnectionTable connections) =>
        Ask(http, id, connections, "pong", isIdNeeded: true);

    private static async Task Pong(HttpContext http, string id, ConnectionTable connections)
    {
        var (ping, refusal) = await ReadId(http, isNeeded: true);
        if (refusal is null && connections.Find(id) is null) refusal = Unknown(id);
        if (refusal is { } refused)
        {
            await Problem.Write(http, refused);
            return;
        }
        var result = connections.Find(id)?.Pong(ping!) ?? PongResult.Late;
        await JsonAnswer.Write(http, StatusCodes.Status200OK, (ping, result), static (json, answer) =>
        {
            json.WriteString("id", answer.ping);
            json.WriteString("result", answer.result switch
            {
                PongResult.Answered => "answered",
                PongResult.Already => "already",
                PongResult.Late => "late",
                _ => "unknown",
            });
        });
    }

    private static Task Test(HttpContext http, string id, ConnectionTable connections) =>
        Ask(http, id, connections, "test", isIdNeeded: false);

    /// <summary>Asks for a frame on the connection's event path.</summary>
    private static async Task Ask(HttpContext http, string id, ConnectionTable connections, string frame,
        bool isIdNeeded)
    {
        var (asked, refusal) = await ReadId(http, isIdNeeded);
        asked ??= ConnectionTable.NewId();
        if (refusal is null)
        {
            if (connections.Find(id) is not { } connection) refusal = Unknown(id);
            else if (!connection.TryTell(SseConnection.IdFrame(frame, asked)))
                refusal = new Refusal(ErrorCode.RateLimited, "The connection has not taken what was asked for before.");
        }
        if (refusal is { } refused) await Problem.Write(http, refused);
        else
            await JsonAnswer.Write(http, StatusCodes.Status202Accepted, asked,
                static (json, told) => json.WriteString("id", told));
    }

    /// <summary>The body's id; null when none is given nor needed.</summary>
    private static async ValueTask<(string? Id, Refusal? Refusal)> ReadId(HttpContext http, bool isNeeded)
    {
        var (body, tooLarge) = await RequestBody.Read(http, BodyBytes);
        if (body is null) return (null, tooLarge);
        using (body)
        {
            if (body.Bytes.Length == 0 && !isNeeded) return default;
            return IdOf(body.Bytes) is { Length: > 0 and <= MostIdLength } id
                ? (id, null)
                : (null, new Refusal(ErrorCode.InvalidInput, $"{{\"id\":\"…\"}} with 1 to {MostIdLength} characters."));
        }
    }

    private static string? IdOf(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.GetPropertyCount() == 1
                && json.RootElement.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String
                ? id.GetString()
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static Refusal Unknown(string id) => new(ErrorCode.NotFound, $"There is no open connection {id}.");
}
