using System.Text.Json;
using OrleansEvents.Api.Http;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Health;

/// <summary>Whether the process lives (<c>/healthz</c>), and whether it can serve requests (<c>/readyz</c>).</summary>
internal static class HealthEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/healthz", Alive);
        routes.MapGet("/readyz", Ready);
    }

    private static Task Alive(HttpContext context) => JsonAnswer.Write(context, StatusCodes.Status200OK,
        ApiHost.Version,
        static (json, version) =>
        {
            json.WriteString("status", "alive");
            json.WriteString("version", version);
        });

    private static Task Ready(HttpContext context)
    {
        var checks = context.RequestServices.GetServices<ReadinessCheck>()
            .Select(check => (check.Name, Reason: check.Failing())).ToArray();
        var failing = checks.Where(check => check.Reason is not null).ToArray();
        if (failing.Length == 0)
        {
            return JsonAnswer.Write(context, StatusCodes.Status200OK, checks, static (json, all) =>
            {
                json.WriteString("status", "ready");
                WriteChecks(json, all);
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
}
