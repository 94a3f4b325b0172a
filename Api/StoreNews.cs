using OrleansEvents.Api.Embedded;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api;

/// <summary>Tells readers, and whoever watches <c>$system</c>, that storage has failed or takes writes
/// again.</summary>
internal sealed class StoreNews(StoreCircuit circuit, ConnectionTable connections, SystemEvents system)
{
    public void Follow() => circuit.Changed += failure =>
    {
        if (failure is not null) connections.Meter.Failed(ErrorCode.StoreUnavailable);
        if (failure is null) connections.Tell(ErrorCode.SourceRecovered, "Storage takes writes again.");
        else connections.Tell(ErrorCode.StoreUnavailable, "Storage does not take writes: critical events are refused.");
        system.Status(failure is null ? "running" : "degraded", failure ?? "Storage takes writes again.");
    };
}
