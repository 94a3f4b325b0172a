using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>Reads members of JSON settings, each within its bounds. Used once; stops at the first thing
/// wrong.</summary>
internal abstract class SettingMembers
{
    /// <summary>The first thing wrong, a sentence; null: nothing.</summary>
    protected string? Problem { get; private set; }

    /// <summary>What the settings are of, for a sentence.</summary>
    protected abstract string Owner { get; }

    /// <summary>Takes each member of the text's one object.</summary>
    protected void ReadText(ReadOnlyMemory<byte> json, Action<JsonElement, string> take)
    {
        json = json[JsonText.MarkLength(json.Span)..];
        Problem = JsonText.Problem(json.Span);
        if (Problem is not null) return;
        try
        {
            using var document = JsonDocument.Parse(json);
            EachMember(document.RootElement, "", take);
        }
        catch (JsonException e)
        {
            Problem = $"The settings are not JSON: {e.Message}";
        }
    }

    /// <summary>Takes each member of an object, none twice.</summary>
    protected void EachMember(JsonElement element, string prefix, Action<JsonElement, string> take)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            Refuse(prefix.Length == 0 ? "The settings must be a JSON object."
                : $"\"{prefix.TrimEnd('.')}\" must be an object.");
            return;
        }
        var seen = new HashSet<string>();
        foreach (var member in element.EnumerateObject())
        {
            if (Problem is not null) return;
            if (seen.Add(member.Name)) take(member.Value, prefix + member.Name);
            else Refuse($"\"{StreamName.Shown(prefix + member.Name)}\" is given twice.");
        }
    }

    /// <summary>What an unknown member is answered with.</summary>
    protected T Unknown<T>(string name, T instead) =>
        Refuse($"\"{StreamName.Shown(name)}\" is not a setting of a {Owner}.", instead);

    protected bool Boolean(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => Refuse($"\"{name}\" must be true or false.", false),
    };

    protected long Whole(JsonElement value, string name, long min, long max) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= min && number <= max
            ? number : Refuse($"\"{name}\" must be a whole number from {min} to {max}.", min);

    protected long? Nullable(JsonElement value, string name, long min, long max) =>
        value.ValueKind == JsonValueKind.Null ? null : Whole(value, name, min, max);

    protected TimeSpan Duration(JsonElement value, string name, TimeSpan max)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var seconds)
            && seconds > 0 && seconds <= (long)max.TotalSeconds)
        {
            var ms = (long)Math.Round(seconds * 1000, MidpointRounding.AwayFromZero);
            if (ms > 0) return TimeSpan.FromMilliseconds(ms);
        }
        return Refuse($"\"{name}\" must be a number of seconds from 0.001 to {(long)max.TotalSeconds}.", max);
    }

    protected TimeSpan? Nullable(JsonElement value, string name, TimeSpan max) =>
        value.ValueKind == JsonValueKind.Null ? null : Duration(value, name, max);

    /// <summary>One of a few words; the first when it is none.</summary>
    protected string Word(JsonElement value, string name, params ReadOnlySpan<string> words)
    {
        if (value.ValueKind == JsonValueKind.String)
            foreach (var word in words)
                if (value.ValueEquals(word)) return word;
        return Refuse($"\"{name}\" must be one of {string.Join(", ", words!)}.", words[0]);
    }

    protected string Text(JsonElement value, string name, int most) =>
        value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text && text.Length <= most
            ? text : Refuse($"\"{name}\" must be a text of 1 to {most} characters.", "");

    protected void Refuse(string problem) => Problem ??= problem;

    protected T Refuse<T>(string problem, T instead)
    {
        Refuse(problem);
        return instead;
    }
}
