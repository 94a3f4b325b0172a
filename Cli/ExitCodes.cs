namespace OrleansEvents.Cli;

/// <summary>What a shell expects; a signal's is 128 and its number.</summary>
internal static class ExitCodes
{
    public const int Failed = 1;
    public const int Usage = 2;
    public const int NotExecutable = 126;
    public const int NotFound = 127;
}
