using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>What the server says of a subscriber.</summary>
/// <param name="Name">The subscriber's name.</param>
/// <param name="Policy">How it is delivered to.</param>
/// <param name="Json">The whole answer.</param>
public sealed record SubscriberDescription(string Name, SubscriberPolicy Policy, JsonElement Json)
{
    /// <summary>How many events it is owed.</summary>
    public long Pending => Json.Number("pending") ?? 0;

    /// <summary>How many events were parked for it.</summary>
    public long DeadLetters => Json.Number("deadLetters") ?? 0;

    /// <summary>How many events are delivered and not acknowledged yet, or wait to be delivered again.</summary>
    public long InFlight => Json.Number("inFlight") ?? 0;

    /// <summary>How many connections it has.</summary>
    public long Connections => Json.Number("connections") ?? 0;

    /// <summary>Everything up to this cursor is acknowledged or was never owed.</summary>
    public string? Acknowledged => Json.Text("acknowledged");

    internal static SubscriberDescription Read(JsonElement json) =>
        new(json.Text("subscriber") ?? "", SubscriberPolicy.Read(json.Member("policy") ?? json), json);
}
