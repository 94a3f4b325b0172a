using System.Globalization;
using System.Text.Json;

namespace OrleansEvents.Api.Options;

/// <summary>Settings to and from text. What does not fit throws a FormatException that says the reason.</summary>
internal static class SettingText
{
    public static object? Parse(Setting setting, string? text)
    {
        var type = setting.Property.PropertyType;
        if (setting.IsNullable && text is null or "" or "null")
            return null;
        if (text is null)
            throw new FormatException("needs a value");
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string))
            return text.Length > 0 ? text : throw new FormatException("needs a value");
        if (type == typeof(bool))
            return bool.TryParse(text, out var flag)
                ? flag
                : throw new FormatException($"'{text}' is not true or false");
        if (type.IsEnum)
            return ParseName(type, text);
        if (type == typeof(IReadOnlyList<string>))
            return ParseList(text).Select(element => element.GetString()!).ToArray();
        if (type == typeof(IReadOnlyList<CriticalRule>))
            return ParseList(text).Select(ParseRule).ToArray();
        if (type == typeof(IReadOnlyList<TimeSpan>))
            return ParseList(text).Select(element => ParseSeconds(setting.About, element.ToString())).ToArray();
        return type == typeof(TimeSpan) ? ParseSeconds(setting.About, text) : ParseCount(setting.About, type, text);
    }

    public static string Format(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        TimeSpan time => time.TotalSeconds.ToString(CultureInfo.InvariantCulture),
        Enum kind => NameOf(kind),
        IReadOnlyList<string> list => JsonSerializer.Serialize(list),
        IReadOnlyList<TimeSpan> times => $"[{string.Join(',', times.Select(time => Format(time)))}]",
        IReadOnlyList<CriticalRule> rules => $"[{string.Join(',', rules)}]",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

#pragma warning disable CA1308 // Names in settings are lower case by contract; nothing is compared by them.
    private static string NameOf(object value) => value.ToString()!.ToLowerInvariant();
#pragma warning restore CA1308

    private static object ParseName(Type type, string text)
    {
        foreach (var value in Enum.GetValues(type))
        {
            if (string.Equals(NameOf(value), text, StringComparison.OrdinalIgnoreCase))
                return value;
        }

        var names = string.Join(", ", Enum.GetValues(type).Cast<object>().Select(NameOf));
        throw new FormatException($"'{text}' is not one of {names}");
    }

    private static object ParseCount(SettingAttribute about, Type type, string text)
    {
        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var count))
            throw new FormatException($"'{text}' is not a whole number");
        CheckBounds(about, count, text);
        return Convert.ChangeType(count, type, CultureInfo.InvariantCulture);
    }

    private static TimeSpan ParseSeconds(SettingAttribute about, string text)
    {
        const NumberStyles style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        if (!double.TryParse(text, style, CultureInfo.InvariantCulture, out var seconds))
            throw new FormatException($"'{text}' is not a number of seconds");
        CheckBounds(about, seconds, text);
        return TimeSpan.FromSeconds(seconds);
    }

    private static void CheckBounds(SettingAttribute about, double number, string text)
    {
        if (number >= about.Min && number <= about.Max)
            return;
        var (min, max) = (Format(about.Min), Format(about.Max));
        throw new FormatException($"{text} is not between {min} and {max} {about.Unit}".TrimEnd());
    }

    private static List<JsonElement> ParseList(string text)
    {
        if (!text.StartsWith('['))
        {
            var names = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return [.. names.Select(name => JsonSerializer.SerializeToElement(name))];
        }

        try
        {
            return JsonSerializer.Deserialize<List<JsonElement>>(text)!;
        }
        catch (JsonException)
        {
            throw new FormatException("is not a JSON array");
        }
    }

    private static CriticalRule ParseRule(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.String && element.GetString() is { Length: > 0 } name)
            return new CriticalRule(name);
        if (element.ValueKind != JsonValueKind.Object)
            throw new FormatException("a rule is a type or an object with type and where");
        string? type = null;
        var where = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var member in element.EnumerateObject())
        {
            if (member.Name.Equals("type", StringComparison.OrdinalIgnoreCase))
                type = member.Value.ToString();
            else if (!member.Name.Equals("where", StringComparison.OrdinalIgnoreCase))
                throw new FormatException($"a rule has no member '{member.Name}'");
            else if (member.Value.ValueKind == JsonValueKind.Object)
                foreach (var condition in member.Value.EnumerateObject())
                    where[condition.Name] = ParseValues(condition.Value);
            else
                throw new FormatException("where is an object of members and their values");
        }

        return string.IsNullOrEmpty(type)
            ? throw new FormatException("a rule needs a type")
            : new CriticalRule(type, where);
    }

    private static string[] ParseValues(JsonElement values) => values.ValueKind == JsonValueKind.Array
        ? [.. values.EnumerateArray().Select(value => value.ToString())]
        : [values.ToString()];
}
