using System.Text.Json;

namespace OrleansEvents.Api.Options;

/// <summary>Events of a type are critical; with <c>Where</c>, if their data has one of its values in each.</summary>
internal sealed record CriticalRule(string Type, IReadOnlyDictionary<string, IReadOnlyList<string>> Where)
{
    public static readonly IReadOnlyList<CriticalRule> Defaults =
    [
        new("error_event"),
        new("server_status", new Dictionary<string, IReadOnlyList<string>> { ["status"] = ["error", "stopped"] }),
    ];

    public CriticalRule(string type) : this(type, new Dictionary<string, IReadOnlyList<string>>()) { }

    public override string ToString() => Where.Count == 0
        ? JsonSerializer.Serialize(Type)
        : JsonSerializer.Serialize(new { type = Type, where = Where });
}
