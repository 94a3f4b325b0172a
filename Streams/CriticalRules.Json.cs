using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OrleansEvents.Streams;

public sealed partial class CriticalRules
{
    /// <summary>Reads a list; anything malformed or beyond a bound is INVALID_INPUT.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> json, [NotNullWhen(true)] out CriticalRules? rules,
        out Refusal refusal)
    {
        rules = null;
        var problem = JsonText.Problem(json.Span);
        try
        {
            if (problem is null)
            {
                using var document = JsonDocument.Parse(json);
                rules = Read(document.RootElement, out problem);
            }
        }
        catch (JsonException e)
        {
            problem = $"The list is not JSON: {e.Message}";
        }
        refusal = rules is null ? new Refusal(ErrorCode.InvalidInput, problem!) : default;
        return rules is not null;
    }

    /// <summary>Reads text without halves of surrogate pairs; null with a sentence that says what is wrong.</summary>
    internal static CriticalRules? Read(JsonElement list, out string? problem)
    {
        problem = "\"critical\" must be a list of rules.";
        if (list.ValueKind != JsonValueKind.Array) return null;
        problem = $"\"critical\" has more than {MaxRules} rules.";
        if (list.GetArrayLength() > MaxRules) return null;
        var rules = new List<Rule>();
        foreach (var element in list.EnumerateArray())
        {
            if (ReadRule(element, out problem) is not { } rule)
            {
                problem = $"\"critical\", rule {rules.Count}: {problem}";
                return null;
            }
            rules.Add(rule);
        }
        problem = null;
        return new CriticalRules([.. rules], Write(rules));
    }

    private static CriticalRules Parse(string json) =>
        TryParse(Encoding.UTF8.GetBytes(json), out var rules, out var refusal)
            ? rules : throw new FormatException(refusal.Detail);

    private static Rule? ReadRule(JsonElement element, out string? problem)
    {
        if (element.ValueKind == JsonValueKind.String) return RuleOf(element, [], out problem);
        problem = "a type's name or {\"type\":…,\"where\":{…}} is expected.";
        if (element.ValueKind != JsonValueKind.Object) return null;
        JsonElement? type = null, where = null;
        foreach (var member in element.EnumerateObject())
        {
            problem = $"\"{StreamName.Shown(member.Name)}\" is unknown or given twice.";
            if (member.Name == "type" && type is null) type = member.Value;
            else if (member.Name == "where" && where is null) where = member.Value;
            else return null;
        }
        problem = "\"type\" is missing.";
        if (type is not { } name) return null;
        problem = null;
        var members = where is { } conditions ? ReadMembers(conditions, out problem) : [];
        return members is null ? null : RuleOf(name, members, out problem);
    }

    private static Rule? RuleOf(JsonElement type, Member[] members, out string? problem)
    {
        problem = $"a type has {EventType.Rule}.";
        if (type.ValueKind != JsonValueKind.String) return null;
        return EventType.TryEncode(type.GetString(), out var canonical) ? new Rule(canonical, members) : null;
    }

    private static Member[]? ReadMembers(JsonElement where, out string? problem)
    {
        problem = "\"where\" must be an object of 1 to 10 members.";
        if (where.ValueKind != JsonValueKind.Object || where.GetPropertyCount() is < 1 or > MaxMembers) return null;
        var members = new List<Member>();
        foreach (var property in where.EnumerateObject())
        {
            var name = Encoding.UTF8.GetBytes(property.Name);
            problem = "a member of \"where\" is given twice, or its name is longer than 200 characters.";
            if (property.Name.Length > MaxTextLength || members.Exists(m => name.AsSpan().SequenceEqual(m.Name)))
                return null;
            problem = $"\"{StreamName.Shown(property.Name)}\" must be a string, number, boolean or null "
                + "of 200 characters at most, or a list of 1 to 100 of them.";
            if (ReadValues(property.Value) is not { } values) return null;
            members.Add(new Member(name, values));
        }
        problem = null;
        return [.. members];
    }

    private static Scalar[]? ReadValues(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array) return ReadValue(value) is { } one ? [one] : null;
        if (value.GetArrayLength() is < 1 or > MaxValues) return null;
        var values = new List<Scalar>();
        foreach (var element in value.EnumerateArray())
        {
            if (ReadValue(element) is not { } scalar) return null;
            values.Add(scalar);
        }
        return [.. values];
    }

    private static Scalar? ReadValue(JsonElement value)
    {
        var (kind, text) = value.ValueKind switch
        {
            JsonValueKind.String => (JsonTokenType.String, value.GetString()!),
            JsonValueKind.Number => (JsonTokenType.Number, value.GetRawText()),
            JsonValueKind.True => (JsonTokenType.True, ""),
            JsonValueKind.False => (JsonTokenType.False, ""),
            JsonValueKind.Null => (JsonTokenType.Null, ""),
            _ => (JsonTokenType.None, ""),
        };
        if (kind == JsonTokenType.None || text.Length > MaxTextLength) return null;
        var number = kind == JsonTokenType.Number && value.TryGetDecimal(out var exact) ? exact : (decimal?)null;
        return new Scalar(kind, Encoding.UTF8.GetBytes(text), number);
    }

    private static byte[] Write(List<Rule> rules)
    {
        var buffer = new ArrayBufferWriter<byte>();
        // Rules are answered as application/json only: no need to escape what is dangerous in HTML.
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var writer = new Utf8JsonWriter(buffer, options))
        {
            writer.WriteStartArray();
            foreach (var rule in rules) Write(writer, rule);
            writer.WriteEndArray();
        }
        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(Utf8JsonWriter writer, Rule rule)
    {
        if (rule.Members.Length > 0)
        {
            writer.WriteStartObject();
            writer.WritePropertyName("type");
        }
        writer.WriteRawValue([(byte)'"', .. rule.Type, (byte)'"']);
        if (rule.Members.Length == 0) return;
        writer.WriteStartObject("where");
        foreach (var member in rule.Members)
        {
            writer.WriteStartArray(member.Name);
            foreach (var value in member.Values) Write(writer, value);
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, Scalar value)
    {
        if (value.Kind == JsonTokenType.String) writer.WriteStringValue(value.Text);
        else if (value.Kind == JsonTokenType.Number) writer.WriteRawValue(value.Text);
        else if (value.Kind == JsonTokenType.Null) writer.WriteNullValue();
        else writer.WriteBooleanValue(value.Kind == JsonTokenType.True);
    }
}
