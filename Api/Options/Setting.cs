using System.Reflection;

namespace OrleansEvents.Api.Options;

/// <summary>One described setting: its path (<c>Limits:EventBytes</c>), what it means and its default.</summary>
internal sealed record Setting(string Path, PropertyInfo Property, SettingAttribute About, object? Default)
{
    public static readonly IReadOnlyList<Setting> All = [.. Describe(new ServerOptions(), "")];

    /// <summary>The first parts of all paths: what of a settings file is ours.</summary>
    public static readonly IReadOnlySet<string> Sections =
        All.Select(setting => setting.Path.Split(':')[0]).ToHashSet(StringComparer.OrdinalIgnoreCase);

    private static readonly Dictionary<string, Setting> s_byPath =
        All.ToDictionary(setting => setting.Path, StringComparer.OrdinalIgnoreCase);

    public bool IsList => Property.PropertyType.IsGenericType
        && Property.PropertyType.GetGenericTypeDefinition() == typeof(IReadOnlyList<>);

    public bool IsNullable => Nullable.GetUnderlyingType(Property.PropertyType) is not null;

    /// <summary>The setting that a path names, or of whose list it names an element.</summary>
    public static Setting? Find(string path)
    {
        if (s_byPath.TryGetValue(path, out var exact))
            return exact;
        for (var colon = path.LastIndexOf(':'); colon > 0; colon = path.LastIndexOf(':', colon - 1))
        {
            if (s_byPath.TryGetValue(path[..colon], out var list))
                return list.IsList ? list : null;
        }

        return null;
    }

    private static IEnumerable<Setting> Describe(object section, string prefix)
    {
        foreach (var property in section.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public))
        {
            var path = prefix + property.Name;
            var value = property.GetValue(section);
            if (property.GetCustomAttribute<SettingAttribute>() is { } about)
                yield return new Setting(path, property, about, value);
            else
                foreach (var inner in Describe(value!, path + ":"))
                    yield return inner;
        }
    }
}
