namespace OrleansEvents.Api.Options;

/// <summary>The server cannot start as asked. The message is the one line that says why; exit code 2.</summary>
internal sealed class StartRefusedException : Exception
{
    public StartRefusedException(string line, Exception? inner = null) : base(line, inner) { }
}
