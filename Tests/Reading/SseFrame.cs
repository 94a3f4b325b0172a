using System.Text;
using System.Text.Json;

namespace OrleansEvents.Tests.Reading;

/// <summary>One frame as it came over the wire.</summary>
internal sealed record SseFrame(string? Id, string? Event, long? Retry, string Data)
{
    public JsonElement Json { get; } = Parse(Data);

    /// <summary>Whether it is an event of a stream, read without names.</summary>
    public bool IsEvent => Event is null;

    public long Seq => Json.GetProperty("seq").GetInt64();

    public string Text(string member) => Json.GetProperty(member).GetString()!;

    public override string ToString() => $"id={Id} event={Event} retry={Retry} data={Data}";

    private static JsonElement Parse(string data) => JsonSerializer.Deserialize<JsonElement>(data);
}

/// <summary>Reads the lines of <c>text/event-stream</c>, and refuses whatever this server should never send: fields
/// twice in a frame, lines of data that are not one, an unknown field, a carriage return.</summary>
internal sealed class SseLines
{
    private readonly List<byte> _line = [];
    private string? _id;
    private string? _event;
    private string? _data;
    private long? _retry;
    private bool _any;

    /// <summary>Comments so far.</summary>
    public int Comments { get; private set; }

    /// <summary>Whether nothing of a frame has begun.</summary>
    public bool IsBetweenFrames => _line.Count == 0 && !_any;

    /// <summary>Takes one byte; a frame when it was the last of one.</summary>
    public SseFrame? Take(byte next)
    {
        if (next != '\n')
        {
            _line.Add(next);
            return null;
        }
        var line = Encoding.UTF8.GetString([.. _line]);
        _line.Clear();
        if (line.Length > 0)
        {
            TakeField(line);
            return null;
        }
        if (!_any) return null;
        var frame = new SseFrame(_id, _event, _retry, _data ?? throw new FormatException("A frame without data"));
        (_id, _event, _data, _retry, _any) = (null, null, null, null, false);
        return frame;
    }

    private void TakeField(string line)
    {
        if (line[0] == ':')
        {
            Comments++;
            return;
        }
        _any = true;
        var colon = line.IndexOf(": ", StringComparison.Ordinal);
        var value = colon < 0 ? throw new FormatException($"A line that is no field: {line}") : line[(colon + 2)..];
        if (value.Contains('\r', StringComparison.Ordinal)) throw new FormatException("A carriage return");
        switch (line[..colon])
        {
            case "id": Set(ref _id, value, line); break;
            case "event": Set(ref _event, value, line); break;
            case "data": Set(ref _data, value, line); break;
            case "retry": _retry = long.Parse(value, System.Globalization.CultureInfo.InvariantCulture); break;
            default: throw new FormatException($"An unknown field: {line}");
        }
    }

    private static void Set(ref string? field, string value, string line) =>
        field = field is null ? value : throw new FormatException($"A field twice in a frame: {line}");
}
