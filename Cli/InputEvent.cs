using System.Globalization;
using System.Text.Json;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>Makes an event of a line of NDJSON.</summary>
internal static class InputEvent
{
    public static NewEvent Parse(ReadOnlyMemory<byte> line, EventDefaults defaults, long lineNumber)
    {
        var reader = new Utf8JsonReader(line.Span);
        var members = new Members();
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                members.Take(ref reader, line);
        }
        else
        {
            reader.Skip();
        }
        // Behind the one value only white space may follow: a last read refuses the rest.
        reader.Read();
        return members.IsEvent
            ? members.Event(defaults, lineNumber)
            : new(defaults.Type, line) { Critical = defaults.Critical, Key = defaults.KeyOf(lineNumber) };
    }

    /// <summary>Why this is not one JSON value; null when it is.</summary>
    public static string? Fault(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
            }
            return null;
        }
        catch (JsonException fault)
        {
            return FirstSentence(fault);
        }
    }

    /// <summary>Without the position, which counts from the line's own beginning.</summary>
    public static string FirstSentence(JsonException fault) => fault.Message.Split(" LineNumber:")[0];

    private ref struct Members
    {
        private string? _type, _key, _unknown;
        private ReadOnlyMemory<byte> _data;
        private int? _version;
        private bool? _critical;
        private DateTimeOffset? _time;

        public readonly bool IsEvent => _type is not null && !_data.IsEmpty;

        public void Take(ref Utf8JsonReader reader, ReadOnlyMemory<byte> line)
        {
            var name = reader.GetString()!;
            reader.Read();
            switch (name, reader.TokenType)
            {
                case ("type", JsonTokenType.String): _type = reader.GetString(); break;
                case ("key", JsonTokenType.String): _key = reader.GetString(); break;
                case ("critical", JsonTokenType.True or JsonTokenType.False): _critical = reader.GetBoolean(); break;
                case ("version", JsonTokenType.Number) when reader.TryGetInt32(out var version):
                    _version = version;
                    break;
                case ("time", JsonTokenType.String) when TryTime(reader.GetString(), out var time):
                    _time = time;
                    break;
                case ("data", _): _data = Value(ref reader, line); break;
                // What a reader is given beside these, so that 'tail --json' can be piped back in.
                case ("id" or "seq" or "stream" or "attempt" or "traceparent", _): reader.Skip(); break;
                default: _unknown ??= name; reader.Skip(); break;
            }
        }

        public readonly NewEvent Event(EventDefaults defaults, long lineNumber)
        {
            if (_unknown is not null)
                throw new JsonException($"an event has no member '{_unknown}' of this form");
            return new(_type!, _data)
            {
                Version = _version ?? 1,
                Critical = _critical ?? defaults.Critical,
                Key = _key ?? defaults.KeyOf(lineNumber),
                Time = _time,
            };
        }

        private static bool TryTime(string? text, out DateTimeOffset time) =>
            DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);

        private static ReadOnlyMemory<byte> Value(ref Utf8JsonReader reader, ReadOnlyMemory<byte> line)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            return line[start..(int)reader.BytesConsumed];
        }
    }
}
