namespace OrleansEvents.Api;

/// <summary>What was found while starting, to be logged once the server listens: a start that is refused says so in
/// one line and nothing else.</summary>
internal sealed class StartNotes
{
    public List<(LogLevel Level, string Text)> Lines { get; } = [];
}
