using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>What the server answered to a publish.</summary>
/// <param name="Stream">The stream that the events are in.</param>
/// <param name="First">The seq of the first event.</param>
/// <param name="Last">The seq of the last event.</param>
/// <param name="Cursor">The position just after the last event.</param>
/// <param name="Count">How many events were appended by this request.</param>
/// <param name="Duplicates">How many were there already, by their key.</param>
/// <param name="Durable">Whether the events are on storage.</param>
public sealed record PublishResult(
    string Stream, long First, long Last, string Cursor, int Count, int Duplicates, bool Durable)
{
    internal static PublishResult Read(JsonElement answer) => new(
        answer.Text("stream") ?? "",
        answer.Number("first") ?? 0,
        answer.Number("last") ?? 0,
        answer.Text("cursor") ?? "",
        (int)(answer.Number("count") ?? 0),
        (int)(answer.Number("duplicates") ?? 0),
        answer.Truth("durable") ?? false);
}
