using System.Collections;
using System.Text.Json.Nodes;

namespace OrleansEvents.Api.Options;

/// <summary>A setting's value as somebody wrote it, and where, so that a refusal can name it in their words.</summary>
internal readonly record struct GivenValue(string? Text, string Spelled);

/// <summary>What one place (a file, the environment, the command line) says about settings, by path.</summary>
internal sealed class SettingsSource
{
    public const string EnvironmentPrefix = "OrleansEvents__";

    private static readonly string[] s_frameworkSections = ["Logging", "Kestrel"];

    private readonly Dictionary<string, GivenValue> _values = new(StringComparer.OrdinalIgnoreCase);

    public IEnumerable<KeyValuePair<string, string?>> Flat =>
        _values.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.Text));

    public static SettingsSource FromFile(string path)
    {
        var source = new SettingsSource();
        var name = Path.GetFileName(path);
        foreach (var (key, text) in ReadFile(path))
        {
            if (Setting.Sections.Contains(key.Split(':')[0]))
                source.Add(key, text, $"{name}: {key}");
            else
                source._values[key] = new GivenValue(text, key);
        }

        return source;
    }

    public static SettingsSource FromEnvironment(IDictionary variables)
    {
        var source = new SettingsSource();
        foreach (DictionaryEntry variable in variables)
        {
            var name = (string)variable.Key;
            if (name.StartsWith(EnvironmentPrefix, StringComparison.OrdinalIgnoreCase))
            {
                var path = name[EnvironmentPrefix.Length..].Replace("__", ":", StringComparison.Ordinal);
                source.Add(path, (string?)variable.Value, name);
            }
        }

        return source;
    }

    public void Add(string path, string? text, string spelled)
    {
        var isFrameworks = s_frameworkSections.Any(section =>
            path.StartsWith(section + ":", StringComparison.OrdinalIgnoreCase));
        if (!isFrameworks && Setting.Find(path) is null)
            throw new StartRefusedException($"{spelled}: there is no such setting");
        _values[path] = new GivenValue(text, spelled);
    }

    /// <summary>Takes over what a stronger source says; a list it mentions replaces this one's list whole.</summary>
    public void OverrideBy(SettingsSource stronger)
    {
        foreach (var path in stronger._values.Keys)
        {
            if (Setting.Find(path) is { IsList: true } list)
                RemoveList(list.Path);
        }

        foreach (var (path, value) in stronger._values)
            _values[path] = value;
    }

    public GivenValue? Find(Setting setting)
    {
        if (_values.TryGetValue(setting.Path, out var value) && (value.Text is not null || !setting.IsList))
            return value;
        var prefix = setting.Path + ":";
        var elements = _values
            .Where(pair => setting.IsList && pair.Key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            .Select(pair => (Path: pair.Key[prefix.Length..].Split(':'), pair.Value))
            .ToList();
        return elements.Count == 0 ? null : new GivenValue(
            ToJson([.. elements.Select(element => (element.Path, element.Value.Text))], 0)!.ToJsonString(),
            elements[0].Value.Spelled);
    }

    private void RemoveList(string path)
    {
        var prefix = path + ":";
        var elements = _values.Keys.Where(key => key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
        foreach (var key in elements.ToList())
            _values.Remove(key);
        _values.Remove(path);
    }

    // Configuration knows only text under paths; lists are put together again where all names of a level are numbers.
    private static JsonNode? ToJson(List<(string[] Path, string? Text)> leaves, int depth)
    {
        if (leaves.Count == 1 && leaves[0].Path.Length == depth)
            return JsonValue.Create(leaves[0].Text);
        var members = leaves.Where(leaf => leaf.Path.Length > depth)
            .GroupBy(leaf => leaf.Path[depth], StringComparer.OrdinalIgnoreCase)
            .OrderBy(member => member.Key, StringComparer.Ordinal).ToList();
        if (members.TrueForAll(member => int.TryParse(member.Key, out _)))
        {
            return new JsonArray([.. members.OrderBy(member => int.Parse(member.Key, null))
                .Select(member => ToJson([.. member], depth + 1))]);
        }

        return new JsonObject(members.Select(member =>
            KeyValuePair.Create(member.Key, ToJson([.. member], depth + 1))));
    }

    private static IEnumerable<KeyValuePair<string, string?>> ReadFile(string path)
    {
        try
        {
            var all = new ConfigurationBuilder().AddJsonFile(path, optional: false, reloadOnChange: false).Build()
                .AsEnumerable().ToList();
            // A section without a value of its own is listed too; only leaves say something.
            return all.Where(one => one.Value is not null
                || !all.Exists(other => other.Key.StartsWith(one.Key + ":", StringComparison.OrdinalIgnoreCase)));
        }
        catch (Exception failure) when (failure is InvalidDataException or FormatException or IOException)
        {
            throw new StartRefusedException($"{path}: {(failure.InnerException ?? failure).Message}", failure);
        }
    }
}
