namespace OrleansEvents.Api;

/// <summary>
/// Closed until the server listens: until then the framework's own lines are held back, because a start that is refused
/// says so in exactly one line, and the framework would add its stack traces to it.
/// </summary>
internal sealed class StartGate
{
    private static readonly string[] s_heldBack =
        ["Microsoft.Extensions.Hosting.Internal.Host", "Microsoft.AspNetCore.Server.Kestrel"];

    private volatile bool _isOpen;

    public void Open() => _isOpen = true;

    public void AddFilters(ILoggingBuilder logging)
    {
        foreach (var category in s_heldBack)
            logging.AddFilter(category, level => _isOpen && level >= LogLevel.Warning);
    }
}
