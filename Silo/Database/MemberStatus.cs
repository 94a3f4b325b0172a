using Orleans.Runtime;

namespace OrleansEvents.Silo.Database;

/// <summary>A member's status as its row has it.</summary>
internal static class MemberStatus
{
    public const int Created = (int)SiloStatus.Created;
    public const int Dead = (int)SiloStatus.Dead;
}
