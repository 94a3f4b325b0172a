using System.Collections;
using System.Reflection;

namespace OrleansEvents.Api.Options;

/// <summary>All that was set, from the weakest source to the strongest: files, environment, command line.</summary>
internal sealed record Settings(ServerOptions Options, IReadOnlyList<KeyValuePair<string, string?>> Flat)
{
    public static Settings Load(SettingsSource commandLine, string contentRoot, string workingFolder,
        IDictionary variables, SettingsSource? defaults = null)
    {
        var merged = new SettingsSource();
        if (defaults is not null) merged.OverrideBy(defaults);
        string[] folders = [contentRoot, workingFolder];
        foreach (var folder in folders.Select(Path.TrimEndingDirectorySeparator).Distinct())
        {
            var file = Path.Combine(folder, "appsettings.json");
            if (File.Exists(file))
                merged.OverrideBy(SettingsSource.FromFile(file));
        }

        merged.OverrideBy(SettingsSource.FromEnvironment(variables));
        merged.OverrideBy(commandLine);
        var options = new ServerOptions();
        Fill(options, "", merged);
        SettingRules.Check(options);
        return new Settings(options, [.. merged.Flat]);
    }

    private static void Fill(object section, string prefix, SettingsSource given)
    {
        foreach (var property in section.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public))
        {
            if (Setting.Find(prefix + property.Name) is not { } setting)
                Fill(property.GetValue(section)!, prefix + property.Name + ":", given);
            else if (given.Find(setting) is { } value)
                property.SetValue(section, Parse(setting, value));
        }
    }

    private static object? Parse(Setting setting, GivenValue value)
    {
        try
        {
            return SettingText.Parse(setting, value.Text);
        }
        catch (Exception failure) when (failure is FormatException or InvalidOperationException)
        {
            throw new StartRefusedException($"{value.Spelled}: {failure.Message}", failure);
        }
    }
}
