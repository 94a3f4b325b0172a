using System.Collections.ObjectModel;

namespace OrleansEvents.Api.Options;

/// <summary>The arguments of the program: short options, and any setting as <c>--Section:Setting value</c>.</summary>
internal sealed class CommandLine
{
    private static readonly Dictionary<string, string> s_short = new(StringComparer.OrdinalIgnoreCase)
    {
        ["urls"] = "Urls",
        ["data"] = "Storage:Data",
        ["store"] = "Storage:Store",
        ["postgres"] = "Storage:Postgres",
        ["repair"] = "Storage:Repair",
    };

    public const string Help =
        """
        Usage: dotnet run --project Api -- [options]

          --urls U                   addresses to listen on, separated by ;   (http://127.0.0.1:5080)
          --data DIR                 folder of the data                       (./data)
          --store sqlite|postgres|memory   what holds durable events          (sqlite)
          --postgres CONNECTION      the database for --store postgres: Host=…;Database=…;Username=…;Password=…
          --repair                   copy what is readable of a damaged file aside and start with it
          --Section:Setting value    any setting, for example --Streams:Buffer 1000 (docs/limits.md lists them)
          --print-limits             print the page of all settings
          --help, --version

        The same settings are read from appsettings.json and from the environment (OrleansEvents__Section__Setting).
        """;

    public SettingsSource Settings { get; } = new();
    public bool WantsHelp { get; private set; }
    public bool WantsVersion { get; private set; }
    public bool WantsLimits { get; private set; }

    private readonly IReadOnlyDictionary<string, string> _more;

    private CommandLine(IReadOnlyDictionary<string, string> more) => _more = more;

    /// <param name="args">The arguments.</param>
    /// <param name="more">Short options of this program beside those that all have.</param>
    public static CommandLine Parse(string[] args, IReadOnlyDictionary<string, string>? more = null)
    {
        var line = new CommandLine(more ?? ReadOnlyDictionary<string, string>.Empty);
        for (var next = 0; next < args.Length;)
            line.Take(args, ref next);
        return line;
    }

    private void Take(string[] args, ref int next)
    {
        var arg = args[next++];
        switch (arg)
        {
            case "--help" or "-h" or "-?": WantsHelp = true; return;
            case "--version": WantsVersion = true; return;
            case "--print-limits": WantsLimits = true; return;
        }

        if (!arg.StartsWith("--", StringComparison.Ordinal) || arg.Length == 2)
            throw new StartRefusedException($"{arg}: not an option; --help lists them");
        var equals = arg.IndexOf('=', StringComparison.Ordinal);
        var spelled = equals < 0 ? arg : arg[..equals];
        var path = PathOf(spelled);
        Settings.Add(path, equals < 0 ? ValueOf(path, args, ref next, spelled) : arg[(equals + 1)..], spelled);
    }

    private string PathOf(string spelled)
    {
        var name = spelled[2..];
        if (s_short.TryGetValue(name, out var path) || _more.TryGetValue(name, out path))
            return path;
        return name.Contains(':', StringComparison.Ordinal)
            ? name
            : throw new StartRefusedException($"{spelled}: there is no such option; --help lists them");
    }

    private static string ValueOf(string path, string[] args, ref int next, string spelled)
    {
        var hasValue = next < args.Length && !args[next].StartsWith("--", StringComparison.Ordinal);
        var isFlag = path == "Storage:Repair";
        if (isFlag && !(hasValue && bool.TryParse(args[next], out _)))
            return "true";
        return hasValue ? args[next++] : throw new StartRefusedException($"{spelled}: needs a value");
    }
}
