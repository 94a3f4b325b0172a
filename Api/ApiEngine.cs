using System.Collections.ObjectModel;
using OrleansEvents.Api.Embedded;
using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api;

/// <summary>What a program puts behind the Api: the engine of one process, or a node of a cluster.</summary>
/// <param name="Help">What <c>--help</c> prints.</param>
/// <param name="AddTo">Registers <see cref="IEventStreams"/>, what it needs to be ready, and what starts and stops it:
/// a hosted service, which is stopped after the web server and before readers' connections are forgotten.</param>
internal sealed record ApiEngine(string Help, Action<WebApplicationBuilder, ServerOptions> AddTo)
{
    public static ApiEngine Embedded { get; } = new(CommandLine.Help,
        (builder, options) => EmbeddedParts.AddTo(builder.Services, options));

    /// <summary>Short options of this program, beside those that all have, and the settings that they stand
    /// for.</summary>
    public IReadOnlyDictionary<string, string> ShortOptions { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>What is set for this program unless anybody sets it.</summary>
    public SettingsSource? Defaults { get; init; }

    /// <summary>Which failures of a start are the operator's to mend, beside those of any server; null: none.</summary>
    public Func<Exception, ServerOptions, StartRefusedException?> Refuse { get; init; } = (_, _) => null;
}
