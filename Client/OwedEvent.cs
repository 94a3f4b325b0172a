using System.Text;
using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>One delivery that came to nothing.</summary>
/// <param name="Time">When that was clear.</param>
/// <param name="Reason">Why.</param>
public sealed record FailedDelivery(DateTimeOffset? Time, string Reason);

/// <summary>An event that a subscriber is owed, or that was parked for it.</summary>
/// <param name="Event">The event; its attempt is how often it was delivered so far.</param>
/// <param name="NextRetry">When it is delivered next; null when that is not set.</param>
/// <param name="History">The deliveries that came to nothing, oldest first.</param>
public sealed record OwedEvent(StreamEvent Event, DateTimeOffset? NextRetry, IReadOnlyList<FailedDelivery> History)
{
    internal static OwedEvent Read(JsonElement json) => new(
        StreamEvent.Parse(Encoding.UTF8.GetBytes(json.GetRawText())),
        json.Time("nextRetry"),
        [.. json.Elements("history").Select(each => new FailedDelivery(each.Time("time"), each.Text("reason") ?? ""))]);
}
