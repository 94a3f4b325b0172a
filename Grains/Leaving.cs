using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>Orleans' reasons to end an activation, as operators are told them.</summary>
internal static class Leaving
{
    public static LeavingReason Why(DeactivationReason reason, bool isFenced) => isFenced ? LeavingReason.Fenced
        : reason.ReasonCode switch
        {
            DeactivationReasonCode.ApplicationRequested or DeactivationReasonCode.ActivationIdle => LeavingReason.Idle,
            DeactivationReasonCode.ShuttingDown => LeavingReason.Shutdown,
            DeactivationReasonCode.Migrating => LeavingReason.Moved,
            _ => LeavingReason.Other,
        };
}
