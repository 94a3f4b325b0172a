using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>Reads members of a stream's settings over those there are.</summary>
internal sealed class StreamSettingsReader(StreamSettings settings) : SettingMembers
{
    private StreamSettings _settings = settings;

    protected override string Owner => "stream";

    /// <summary>The settings that come of it, or null with a sentence that says what is wrong.</summary>
    public StreamSettings? Read(ReadOnlyMemory<byte> json, out string? problem)
    {
        ReadText(json, Take);
        problem = Problem;
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
        _ => Unknown(name, _settings),
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
            _ => Unknown(name, retention),
        });
        if (retention is { Count: null, Bytes: null, Age: null })
            Refuse("\"retention\" must bound count, bytes or age: not all of them may be null.");
        return retention;
    }

    private StreamSettings Validate(JsonElement value, string name) => Boolean(value, name)
        ? Refuse("\"validate\": schema validation is not available in this server.", _settings) : _settings;

    private CriticalRules Critical(JsonElement value)
    {
        var rules = CriticalRules.Read(value, out var problem);
        return rules ?? Refuse(problem!, _settings.Critical);
    }
}
