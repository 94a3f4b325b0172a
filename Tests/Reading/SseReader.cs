using System.Net;
using System.Net.Http.Headers;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Reading;

/// <summary>An SSE connection over a real socket that keeps all it was sent. It reads only when asked to.</summary>
internal sealed class SseReader : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);
    private readonly HttpClient _http;
    private readonly HttpResponseMessage _answer;
    private readonly Stream _body;
    private readonly SseLines _lines = new();
    private readonly byte[] _chunk = new byte[16_384];
    private int _from;
    private int _to;

    private SseReader(HttpClient http, HttpResponseMessage answer, Stream body) =>
        (_http, _answer, _body) = (http, answer, body);

    /// <summary>Every frame so far.</summary>
    public List<SseFrame> Frames { get; } = [];

    public HttpStatusCode Status => _answer.StatusCode;

    public HttpResponseHeaders Headers => _answer.Headers;

    public Version Version => _answer.Version;

    public string? ContentType => _answer.Content.Headers.ContentType?.ToString();

    /// <summary>Whether what was read ends between two frames.</summary>
    public bool IsWhole => _lines.IsBetweenFrames;

    public int Comments => _lines.Comments;

    /// <summary>The last id that was sent: what an EventSource would come back with.</summary>
    public string? LastId => Frames.LastOrDefault(frame => frame.Id is not null)?.Id;

    public static Task<SseReader> Stream(TestServer server, string stream, string query = "",
        string? lastEventId = null, Version? version = null) =>
        Open(server.Address, $"/api/streams/{stream}/events?{query}", lastEventId, version);

    public static Task<SseReader> Many(TestServer server, string streams, string query = "",
        string? lastEventId = null) =>
        Open(server.Address, $"/api/events?streams={Uri.EscapeDataString(streams)}&{query}", lastEventId);

    /// <summary>Opens a connection of its own, whatever the status is.</summary>
    public static async Task<SseReader> Open(Uri address, string path, string? lastEventId = null,
        Version? version = null)
    {
        var http = TestPath.Client(address, Patience, version);
        using var request = new HttpRequestMessage(HttpMethod.Get, path)
        {
            Version = http.DefaultRequestVersion,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (lastEventId is not null) request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new SseReader(http, answer, await answer.Content.ReadAsStreamAsync());
    }

    /// <summary>The next frame; null when the server has ended the answer.</summary>
    public Task<SseFrame?> Next() => Next(Limit());

    /// <summary>The next frame that a condition holds for.</summary>
    public async Task<SseFrame> Next(Func<SseFrame, bool> condition)
    {
        // One limit for all of it: heartbeats would put it off for ever.
        var limit = Limit();
        while (await Next(limit) is { } frame)
            if (condition(frame)) return frame;
        throw new IOException(
            $"The answer {(int)Status} of {Frames.Count} frames ended: {string.Join('\n', Frames.TakeLast(5))}");
    }

    /// <summary>The next frame with this name; null: the next event.</summary>
    public Task<SseFrame> Next(string? name) => Next(frame => frame.Event == name);

    /// <summary>The next events, so many of them, whatever else comes between.</summary>
    public async Task<List<SseFrame>> Events(int count)
    {
        var events = new List<SseFrame>();
        while (events.Count < count) events.Add(await Next(frame => frame.IsEvent));
        return events;
    }

    /// <summary>Everything up to the end of the answer.</summary>
    public async Task<List<SseFrame>> Rest()
    {
        var rest = new List<SseFrame>();
        var limit = Limit();
        while (await Next(limit) is { } frame) rest.Add(frame);
        return rest;
    }

    /// <summary>What the answer says that is no stream of frames.</summary>
    public async Task<string> Text() => await new StreamReader(_body).ReadToEndAsync();

    private static CancellationToken Limit()
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        return limit.Token;
    }

    private async Task<SseFrame?> Next(CancellationToken limit)
    {
        while (true)
        {
            while (_from < _to)
            {
                if (_lines.Take(_chunk[_from++]) is not { } frame) continue;
                Frames.Add(frame);
                return frame;
            }
            (_from, _to) = (0, await _body.ReadAsync(_chunk, limit));
            if (_to == 0) return null;
        }
    }

    public ValueTask DisposeAsync()
    {
        // The connection is cut: there is no end of an answer to wait for.
        _answer.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
    }
}
