using System.Text;
using OrleansEvents.Cli;

namespace OrleansEvents.Tests.Cli;

/// <summary>Runs the command line in this process, with streams of its own.</summary>
internal sealed class CommandLine : IDisposable
{
    private readonly MemoryStream _out = new();
    private readonly MemoryStream _error = new();

    public Signals Signals { get; } = new();

    public bool OutIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    public Stream? In { get; init; }

    public Dictionary<string, string> Variables { get; } = new()
    {
        ["PATH"] = Environment.GetEnvironmentVariable("PATH")!,
    };

    public Func<int, bool> IsClosed { get; init; } = _ => false;

    public string Out => Text(_out);

    public string Error => Text(_error);

    public async Task<int> RunAsync(params string[] arguments)
    {
        var terminal = new Terminal
        {
            OpenIn = () => In ?? Stream.Null,
            Out = Stream.Synchronized(_out),
            Error = Stream.Synchronized(_error),
            InIsTerminal = In is null,
            OutIsTerminal = OutIsTerminal,
            ErrorIsTerminal = ErrorIsTerminal,
            IsClosed = IsClosed,
            Variable = name => Variables.GetValueOrDefault(name),
        };
        return await EventsCommandLine.RunAsync(arguments, terminal, Signals).WaitAsync(TimeSpan.FromSeconds(60));
    }

    public void Dispose()
    {
        Signals.Dispose();
        _out.Dispose();
        _error.Dispose();
    }

    public static Stream Input(string text) => new MemoryStream(Encoding.UTF8.GetBytes(text));

    private static string Text(MemoryStream stream) => Encoding.UTF8.GetString(stream.ToArray());
}
