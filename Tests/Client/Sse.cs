using System.Text;
using Microsoft.AspNetCore.Http;

namespace OrleansEvents.Tests.Client;

/// <summary>Frames as the contract has them.</summary>
internal static class Sse
{
    public const string Heartbeat =
        "event: heartbeat\ndata: {\"time\":\"2026-01-02T03:04:05.678Z\",\"clients\":3,\"head\":\"c9\"}\n\n";

    public static string Connected(string? id = "c0", int? retryMilliseconds = null) =>
        "event: connected\n" + (id is null ? "" : $"id: {id}\n")
        + (retryMilliseconds is null ? "" : $"retry: {retryMilliseconds}\n")
        + "data: {\"connection\":\"k1\",\"stream\":\"orders\",\"head\":\"c9\","
        + "\"oldest\":\"c1\",\"pending\":0,\"heartbeat\":10}\n\n";

    public static string Event(int seq, string data = "{}", string stream = "orders", string type = "message") =>
        $"id: c{seq}\ndata: {EventJson(seq, data, stream, type)}\n\n";

    /// <summary>An event as a connection over many streams carries it.</summary>
    public static string LooseEvent(int seq, string stream, string? id = null, int attempt = 1) =>
        (id is null ? "" : $"id: {id}\n") + $"data: {EventJson(seq, "{}", stream, "message", attempt)}\n\n";

    public static string Gap(string id, string missed, string reason) =>
        $"event: gap\nid: {id}\ndata: {{\"stream\":\"orders\",\"after\":\"c1\",\"resumedAt\":\"{id}\","
        + $"\"missed\":{missed},\"reason\":\"{reason}\"}}\n\n";

    public static string Problem(string code, string message) =>
        $"event: problem\ndata: {{\"code\":\"{code}\",\"message\":\"{message}\","
        + "\"details\":null,\"severity\":\"warning\"}\n\n";

    public static string End(string id = "c9", string stream = "orders") =>
        $"event: end\nid: {id}\ndata: {{\"stream\":\"{stream}\",\"head\":\"{id}\",\"reason\":\"completed\"}}\n\n";

    /// <summary>An event that a subscriber is owed, as it comes beside the line.</summary>
    public static string OwedEvent(int seq, int attempt = 1) =>
        $"data: {EventJson(seq, attempt: attempt, critical: true)}\n\n";

    public static string EventJson(
        int seq, string data = "{}", string stream = "orders", string type = "message", int attempt = 1,
        bool critical = false) =>
        $"{{\"id\":\"c{seq}\",\"seq\":{seq},\"stream\":\"{stream}\",\"type\":\"{type}\",\"version\":1,"
        + $"\"time\":\"2026-01-02T03:04:05.678Z\",\"critical\":{(critical ? "true" : "false")},\"data\":{data}"
        + (attempt > 1 ? $",\"attempt\":{attempt}" : "") + "}";

    public static async Task WriteAsync(HttpContext context, params string[] frames)
    {
        if (!context.Response.HasStarted)
            context.Response.ContentType = "text/event-stream";
        foreach (var frame in frames)
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(frame));
        await context.Response.Body.FlushAsync();
    }
}
