using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using OrleansEvents.Tests.Client;

namespace OrleansEvents.Tests.Cli;

/// <summary>What a server does with publishes, as far as a publisher can tell: one stream, keys, an end.</summary>
internal sealed class EventRecorder
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _keys = [];
    private readonly List<JsonElement> _events = [];

    public EventRecorder(ScriptedServer server) => server.Otherwise = AnswerAsync;

    public bool IsCompleted { get; set; }

    public int Requests { get; private set; }

    public IReadOnlyList<JsonElement> Events
    {
        get
        {
            lock (_gate)
                return [.. _events];
        }
    }

    /// <summary>The data of events whose data is a number.</summary>
    public IEnumerable<int> Numbers => Events.Select(@event => @event.GetProperty("data").GetInt32());

    /// <summary>Log entries as <c>type: content</c>, without the times.</summary>
    public IReadOnlyList<string> Entries => [.. Events.Select(@event => @event.GetProperty("data")).Select(
        entry => $"{entry.GetProperty("type").GetString()}: {entry.GetProperty("content").GetString()}")];

    public IEnumerable<string> Lines(string type) =>
        Entries.Where(entry => entry.StartsWith(type + ": ", StringComparison.Ordinal))
            .Select(entry => entry[(type.Length + 2)..]);

    private Task AnswerAsync(HttpContext context, SeenRequest request)
    {
        lock (_gate)
        {
            Requests++;
            if (request.Method == "DELETE")
            {
                _events.Clear();
                IsCompleted = false;
                return Task.CompletedTask;
            }
            if (IsCompleted)
                return ScriptedServer.RefuseAsync(context, 409, "STREAM_COMPLETED", "the stream has ended");
            if (!request.Path.EndsWith("/complete", StringComparison.Ordinal))
                return AppendAsync(context, request.Body);
            IsCompleted = true;
            return Task.CompletedTask;
        }
    }

    private Task AppendAsync(HttpContext context, string body)
    {
        var count = 0;
        var lines = body.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var @event in lines.Select(line => JsonElement.Parse(line)))
        {
            if (!_keys.Add(@event.GetProperty("key").GetString()!))
                continue;
            _events.Add(@event);
            count++;
        }
        context.Response.StatusCode = StatusCodes.Status201Created;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(string.Create(
            CultureInfo.InvariantCulture,
            $$"""
            {"stream":"s","first":{{_events.Count - count + 1}},"last":{{_events.Count}},"cursor":"c{{_events.Count}}",
            "count":{{count}},"duplicates":{{lines.Length - count}},"durable":false}
            """));
    }
}
