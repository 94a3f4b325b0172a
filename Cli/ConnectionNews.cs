using System.Globalization;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>Tells the person at the terminal what befell the connection and the stream.</summary>
internal sealed class ConnectionNews(Terminal terminal, Uri server)
{
    private bool _lost;

    public void Tell(ConnectionChange change)
    {
        switch (change.State)
        {
            case ConnectionState.Connected when _lost:
                _lost = false;
                terminal.Say("connected again");
                break;
            case ConnectionState.Reconnecting when change.Attempt == 0:
                _lost = true;
                terminal.Say($"connection lost ({change.Reason?.Detail}), next attempt in {Seconds(change.RetryIn)}");
                break;
            case ConnectionState.Reconnecting:
                _lost = true;
                terminal.Say($"cannot connect to {server}: {change.Reason?.Message}, next attempt in "
                    + Seconds(change.RetryIn));
                break;
            // Told once; attempts go on quietly.
            case ConnectionState.Failed when change.Attempt == 5:
                terminal.Say($"cannot connect to {server}: {change.Reason?.Message}, attempts go on");
                break;
        }
    }

    public void Tell(StreamFrame frame)
    {
        switch (frame)
        {
            case GapFrame gap:
                terminal.Say($"gap in {gap.Stream}: {Missing(gap)} ({gap.Reason})");
                break;
            case ProblemFrame problem:
                terminal.Say($"problem {problem.Code}: {problem.Message}"
                    + (problem.Details is { } details ? $" ({details})" : ""));
                break;
            case EndFrame end:
                terminal.Say($"end of {end.Stream} ({end.Reason})");
                break;
        }
    }

    private static string Missing(GapFrame gap) => gap.Missed switch
    {
        null => "events may be missing",
        1 => "1 event is missing",
        { } missed => $"{missed} events are missing",
    };

    private static string Seconds(TimeSpan? wait) =>
        string.Create(CultureInfo.InvariantCulture, $"{wait.GetValueOrDefault().TotalSeconds:0.0} s");
}
