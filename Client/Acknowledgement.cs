using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>What became of one acknowledged or rejected event.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Result">
/// <c>acknowledged</c> or what the server says of a rejected one, <c>already</c> when it was acknowledged before,
/// <c>unknown</c> when it is not owed.
/// </param>
public sealed record Acknowledgement(string Id, string Result)
{
    internal static IReadOnlyList<Acknowledgement> ReadAll(JsonElement answer) =>
        [.. answer.Elements("results").Select(
            result => new Acknowledgement(result.Text("id") ?? "", result.Text("result") ?? ""))];
}
