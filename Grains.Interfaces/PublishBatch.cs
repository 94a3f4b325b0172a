namespace OrleansEvents.Grains.Interfaces;

/// <summary>Publishes that met on a node on their way to the same stream.</summary>
/// <param name="Events">The events of all requests, one request behind the other.</param>
/// <param name="Counts">How many events each request has; negative when its answer is to have an entry for
/// each.</param>
/// <param name="Publisher">The node's own random number.</param>
/// <param name="FirstNo">The node's number of the first request; the others follow.</param>
/// <param name="Again">Whether the call is a repetition of one whose outcome the node does not know.</param>
/// <param name="Traces">The span of each request, as a <c>traceparent</c>; null when none has one.</param>
[GenerateSerializer, Immutable, Alias("OrleansEvents.PublishBatch")]
public sealed record PublishBatch(
    [property: Id(0)] PackedEvents Events,
    [property: Id(1)] int[] Counts,
    [property: Id(2)] ulong Publisher,
    [property: Id(3)] long FirstNo,
    [property: Id(4)] bool Again,
    [property: Id(5)] string?[]? Traces = null);
