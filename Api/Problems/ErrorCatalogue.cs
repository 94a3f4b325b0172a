using System.Collections.Frozen;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Problems;

/// <summary>What is fixed about a code. A null status: the code only occurs in frames and on <c>$system</c>.</summary>
internal sealed record ErrorRow(
    ErrorCode Code, int? Status, string Title, string Component, string Severity, TimeSpan? RetryAfter)
{
    public int[] OtherStatuses { get; init; } = [];
    public string WireName { get; } = Code.WireName();
    public string Type { get; } = $"urn:orleansevents:problem:{Code.WireName()}";
}

/// <summary>The one table of all codes: answers, frames and documents are made from it.</summary>
internal static class ErrorCatalogue
{
    public static readonly IReadOnlyList<ErrorRow> All =
    [
        Row(ErrorCode.InvalidInput, 400, "The request cannot be understood", "api", "warning")
            with { OtherStatuses = [405, 406, 415] },
        Row(ErrorCode.Unauthenticated, 401, "No or bad credentials", "access", "warning"),
        Row(ErrorCode.PermissionDenied, 403, "Not allowed on that stream", "access", "warning"),
        Row(ErrorCode.NotFound, 404, "There is no such thing", "api", "warning"),
        Row(ErrorCode.StreamCompleted, 409, "The stream has ended", "streams", "warning"),
        Row(ErrorCode.KeyConflict, 409, "The key was used with other content", "streams", "warning"),
        Row(ErrorCode.EventTooLarge, 413, "Over a limit of size", "api", "warning"),
        Row(ErrorCode.RateLimited, 429, "Too many requests or connections", "access", "warning", 1),
        Row(ErrorCode.BacklogFull, 503, "The backlog is full", "streams", "error", 5),
        Row(ErrorCode.StoreUnavailable, 503, "The storage did not answer", "storage", "critical", 1),
        Row(ErrorCode.CircuitOpen, 503, "The storage failed a moment ago", "storage", "critical", 1),
        Row(ErrorCode.Timeout, 504, "The operation took too long", "streams", "error", 1),
        Row(ErrorCode.ServerShutdown, 503, "The server is stopping", "server", "warning", 2),
        Row(ErrorCode.ServerError, 500, "A fault of the server", "server", "critical"),
        Row(ErrorCode.JsonMarshalError, 500, "The event could not be encoded", "streams", "error"),
        Row(ErrorCode.SlowClient, null, "The reader does not keep up", "sse", "warning"),
        Row(ErrorCode.StaleConnection, null, "The reader does not answer", "sse", "warning"),
        Row(ErrorCode.ClientDisconnected, null, "A connection ended unexpectedly", "sse", "warning"),
        Row(ErrorCode.SourceFailure, null, "A source failed", "sources", "error"),
        Row(ErrorCode.SourceUnavailable, null, "A source is not asked for now", "sources", "error"),
        Row(ErrorCode.SourceRecovered, null, "A source answers again", "sources", "warning"),
        Row(ErrorCode.WebhookDisabled, null, "A webhook was switched off", "webhooks", "error"),
    ];

    private static readonly FrozenDictionary<ErrorCode, ErrorRow> s_byCode = All.ToFrozenDictionary(row => row.Code);

    public static ErrorRow Of(ErrorCode code) => s_byCode[code];

    private static ErrorRow Row(
        ErrorCode code, int? status, string title, string component, string severity, double? retrySeconds = null) =>
        new(code, status, title, component, severity, retrySeconds is { } s ? TimeSpan.FromSeconds(s) : null);
}
