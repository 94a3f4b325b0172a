namespace OrleansEvents.Silo;

/// <summary>The event ids of this room's log lines; the Api's are below 2000, the grains' below 3000.</summary>
internal static class EventIds
{
    public const int DeclaredDead = 3000;
    public const int MemberBuried = 3001;
    public const int MembersNotRead = 3002;
    public const int MemberChanged = 3003;
}
