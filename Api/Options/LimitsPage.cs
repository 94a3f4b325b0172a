using System.Text;

namespace OrleansEvents.Api.Options;

/// <summary>Makes docs/limits.md from the settings' own descriptions.</summary>
internal static class LimitsPage
{
    private const string Head =
        """
        # Settings and limits

        Everything that can grow has a bound, and an answer at the bound. This page is made from the settings types
        (`dotnet run --project Api -- --print-limits`); a test compares them. Each setting can be given in
        `appsettings.json`, in the environment (`OrleansEvents__Limits__EventBytes`) and on the command line
        (`--Limits:EventBytes 1000000`), the later of these winning. Durations are seconds, sizes are bytes.

        """;

    public static string Make()
    {
        var page = new StringBuilder(Head.ReplaceLineEndings("\n")).Append('\n');
        string? section = null;
        foreach (var setting in Setting.All)
        {
            var colon = setting.Path.LastIndexOf(':');
            var its = colon < 0 ? "The server" : setting.Path[..colon];
            if (its != section)
                page.Append($"{(section is null ? "" : "\n")}## {section = its}\n\n")
                    .Append("| setting | default | unit | bounds | meaning |\n| --- | --- | --- | --- | --- |\n");
            page.Append($"| `{setting.Path}` | {Default(setting)} | {setting.About.Unit} | {Bounds(setting.About)} ")
                .Append($"| {setting.About.Meaning.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        }

        return page.ToString();
    }

    private static string Default(Setting setting) => $"`{SettingText.Format(setting.Default)}`";

    private static string Bounds(SettingAttribute about) => about.Unit.Length == 0
        ? ""
        : $"{SettingText.Format(about.Min)} – {SettingText.Format(about.Max)}";
}
