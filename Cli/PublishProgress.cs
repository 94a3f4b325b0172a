using System.Globalization;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>Counts what was published; on a terminal it shows the count while it grows.</summary>
internal sealed class PublishProgress(Terminal terminal, string stream)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly long _start = terminal.Time.GetTimestamp();
    private TimeSpan _shownAt;
    private bool _shown;
    private long _events;
    private long _duplicates;
    private string? _cursor;

    public void Published(PublishResult result)
    {
        _events += result.Count;
        _duplicates += result.Duplicates;
        _cursor = result.Cursor;
        var elapsed = terminal.Time.GetElapsedTime(_start);
        if (!terminal.ErrorIsTerminal || (_shown && elapsed - _shownAt < Interval))
            return;
        _shown = true;
        _shownAt = elapsed;
        terminal.Show($"{Colour.ClearLine}{Count(_events)} events, {Rate(elapsed)}");
    }

    public void Done()
    {
        var elapsed = terminal.Time.GetElapsedTime(_start);
        if (_shown)
            terminal.Show(Colour.ClearLine);
        var duplicates = _duplicates > 0 ? $", {Count(_duplicates)} were there already" : "";
        var cursor = _cursor is null ? "" : $", cursor {_cursor}";
        var took = string.Create(CultureInfo.InvariantCulture, $"{elapsed.TotalSeconds:0.0} s ({Rate(elapsed)})");
        var count = $"{Count(_events)} {(_events == 1 ? "event" : "events")}";
        terminal.Say($"{count} published to {stream}{duplicates} in {took}{cursor}");
    }

    private string Rate(TimeSpan elapsed) => Count((long)(_events / Math.Max(elapsed.TotalSeconds, 0.001))) + "/s";

    private static string Count(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
