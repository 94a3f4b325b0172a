using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>Reads members of settings over those there are. Used once; stops at the first thing wrong.</summary>
internal sealed class StreamSettingsReader(StreamSettings settings)
{
    private StreamSettings _settings = settings;
    private string? _problem;

    /// <summary>The settings that come of it, or null with a sentence that says what is wrong.</summary>
    public StreamSettings? Read(ReadOnlyMemory<byte> json, out string? problem)
    {
        json = json[JsonText.MarkLength(json.Span)..];
        _problem = JsonText.Problem(json.Span);
        try
        {
            if (_problem is null)
            {
                using var document = JsonDocument.Parse(json);
                EachMember(document.RootElement, "", Take);
            }
        }
        catch (JsonException e)
        {
            _problem = $"The settings are not JSON: {e.Message}";
        }
        problem = _problem;
        return problem is null ? _settings : null;
    }

    private void Take(JsonElement value, string name) => _settings = name switch
    {
        "buffer" => _settings with { Buffer = (int)Whole(value, name, 1, StreamSettings.MaxBuffer) },
        "bufferBytes" => _settings with
        {
            BufferBytes = (int)Whole(value, name, StreamSettings.MinBufferBytes, StreamSettings.MaxBufferBytes),
        },
        "maxAge" => _settings with { MaxAge = Nullable(value, name, StreamSettings.MaxDuration) },
        "durable" => _settings with { Durable = Boolean(value, name) },
        "retention" => _settings with { Retention = Retention(value) },
        "critical" => _settings with { Critical = Critical(value) },
        "backlog" => _settings with { Backlog = (int)Whole(value, name, 1, StreamSettings.MaxBacklog) },
        "dedupeWindow" => _settings with { DedupeWindow = Duration(value, name, StreamSettings.MaxDedupeWindow) },
        "idleAfter" => _settings with { IdleAfter = Duration(value, name, StreamSettings.MaxDuration) },
        "validate" => Validate(value, name),
        _ => Refuse($"\"{StreamName.Shown(name)}\" is not a setting of a stream."),
    };

    private StreamRetention Retention(JsonElement value)
    {
        var retention = _settings.Retention;
        EachMember(value, "retention.", (member, name) => retention = name switch
        {
            "retention.count" => retention with { Count = Nullable(member, name, 1, StreamRetention.MaxCount) },
            "retention.bytes" => retention with
            {
                Bytes = Nullable(member, name, StreamRetention.MinBytes, StreamRetention.MaxBytes),
            },
            "retention.age" => retention with { Age = Nullable(member, name, StreamSettings.MaxDuration) },
            _ => Refuse($"\"{StreamName.Shown(name)}\" is not a setting of a stream.", retention),
        });
        if (retention is { Count: null, Bytes: null, Age: null })
            Refuse("\"retention\" must bound count, bytes or age: not all of them may be null.");
        return retention;
    }

    private void EachMember(JsonElement element, string prefix, Action<JsonElement, string> take)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            Refuse(prefix.Length == 0 ? "The settings must be a JSON object." : "\"retention\" must be an object.");
            return;
        }
        var seen = new HashSet<string>();
        foreach (var member in element.EnumerateObject())
        {
            if (_problem is not null) return;
            if (seen.Add(member.Name)) take(member.Value, prefix + member.Name);
            else Refuse($"\"{StreamName.Shown(prefix + member.Name)}\" is given twice.");
        }
    }

    private StreamSettings Validate(JsonElement value, string name) => Boolean(value, name)
        ? Refuse("\"validate\": schema validation is not available in this server.") : _settings;

    private CriticalRules Critical(JsonElement value)
    {
        var rules = CriticalRules.Read(value, out var problem);
        return rules ?? Refuse(problem!, _settings.Critical);
    }

    private bool Boolean(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => Refuse($"\"{name}\" must be true or false.", false),
    };

    private long Whole(JsonElement value, string name, long min, long max) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= min && number <= max
            ? number : Refuse($"\"{name}\" must be a whole number from {min} to {max}.", min);

    private long? Nullable(JsonElement value, string name, long min, long max) =>
        value.ValueKind == JsonValueKind.Null ? null : Whole(value, name, min, max);

    private TimeSpan Duration(JsonElement value, string name, TimeSpan max)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var seconds)
            && seconds > 0 && seconds <= (long)max.TotalSeconds)
        {
            var ms = (long)Math.Round(seconds * 1000, MidpointRounding.AwayFromZero);
            if (ms > 0) return TimeSpan.FromMilliseconds(ms);
        }
        return Refuse($"\"{name}\" must be a number of seconds from 0.001 to {(long)max.TotalSeconds}.", max);
    }

    private TimeSpan? Nullable(JsonElement value, string name, TimeSpan max) =>
        value.ValueKind == JsonValueKind.Null ? null : Duration(value, name, max);

    private StreamSettings Refuse(string problem) => Refuse(problem, _settings);

    private T Refuse<T>(string problem, T instead)
    {
        _problem ??= problem;
        return instead;
    }
}
