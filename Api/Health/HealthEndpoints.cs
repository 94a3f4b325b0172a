using System.Buffers;
using System.Text.Json;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Health;

/// <summary>Whether the process lives (<c>/healthz</c>), and whether it is worth sending requests to (<c>/readyz</c>).</summary>
internal static class HealthEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/healthz", Alive);
        routes.MapGet("/readyz", Ready);
    }

    private static Task Alive(HttpContext context) => Answer(context, json =>
    {
        json.WriteString("status", "alive");
        json.WriteString("version", ApiHost.Version);
    });

    private static Task Ready(HttpContext context)
    {
        var checks = context.RequestServices.GetServices<ReadinessCheck>()
            .Select(check => (check.Name, Reason: check.Failing())).ToArray();
        var failing = checks.Where(check => check.Reason is not null).ToArray();
        if (failing.Length == 0)
        {
            return Answer(context, json =>
            {
                json.WriteString("status", "ready");
                WriteChecks(json, checks);
            });
        }

        var isStopping = failing.Any(check => check.Name == ReadinessCheck.ServerName);
        var detail = string.Join("; ", failing.Select(check => $"{check.Name}: {check.Reason}"));
        var refusal = new Refusal(isStopping ? ErrorCode.ServerShutdown : ErrorCode.StoreUnavailable, detail);
        return Problem.Write(context, refusal, more: json => WriteChecks(json, checks));
    }

    private static void WriteChecks(Utf8JsonWriter json, (string Name, string? Reason)[] checks)
    {
        json.WriteStartObject("checks");
        foreach (var (name, reason) in checks)
            json.WriteString(name, reason ?? "ok");
        json.WriteEndObject();
    }

    private static async Task Answer(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.WrittenCount;
        context.Response.Headers.CacheControl = "no-store";
        await context.Response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }
}
