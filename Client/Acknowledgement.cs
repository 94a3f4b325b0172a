using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>What became of one acknowledged event.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Result"><c>acknowledged</c>, <c>already</c> or <c>unknown</c>.</param>
public sealed record Acknowledgement(string Id, string Result)
{
    internal static IReadOnlyList<Acknowledgement> ReadAll(JsonElement answer)
    {
        if (answer.Member("results") is not { ValueKind: JsonValueKind.Array } results)
            return [];
        return [.. results.EnumerateArray().Select(
            result => new Acknowledgement(result.Text("id") ?? "", result.Text("result") ?? ""))];
    }
}
