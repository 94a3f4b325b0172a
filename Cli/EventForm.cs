using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>
/// How an event looks. A person gets colours, the local time, and only what tells events apart; a pipe gets the same
/// fields on every line; <c>--json</c> gets what the server sent.
/// </summary>
internal sealed class EventForm(Terminal terminal, bool json, bool manyStreams)
{
    private readonly bool _colours = terminal.OutIsTerminal && terminal.MayColour;

    public void Write(IBufferWriter<byte> output, StreamEvent arrived)
    {
        if (json)
            output.Write(arrived.Json.Span);
        else if (terminal.OutIsTerminal)
            Encoding.UTF8.GetBytes(ForPerson(arrived), output);
        else
            Encoding.UTF8.GetBytes(ForPipe(arrived), output);
        output.Write("\n"u8);
    }

    private static string ForPipe(StreamEvent arrived)
    {
        var time = arrived.Time?.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture) ?? "-";
        var (kind, text) = Content(arrived);
        var fields = kind is null ? text : $"{kind} {text}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{time} {Visible.Text(arrived.Stream)} {Number(arrived)} {Visible.Text(arrived.Type)} {fields}");
    }

    private string ForPerson(StreamEvent arrived)
    {
        var time = arrived.Time?.ToLocalTime().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture) ?? "--:--:--.---";
        var (kind, text) = Content(arrived);
        var stream = manyStreams ? Visible.Text(arrived.Stream) + " " : "";
        var head = In(Colour.Dim, $"{time} {stream}{Number(arrived)}");
        if (kind is not null)
            return $"{head} {In(ColourOf(kind), text)}";
        var type = In(arrived.Critical ? Colour.Red : Colour.Cyan, Visible.Text(arrived.Type));
        return $"{head} {type} {text}";
    }

    /// <summary>Its number, and behind a stroke which delivery this is, from the second on.</summary>
    private static string Number(StreamEvent arrived) => arrived.Attempt > 1
        ? string.Create(CultureInfo.InvariantCulture, $"{arrived.Seq}/{arrived.Attempt}")
        : arrived.Seq.ToString(CultureInfo.InvariantCulture);

    private string In(string? colour, string text) =>
        _colours && colour is not null ? colour + text + Colour.None : text;

    private static string? ColourOf(string kind) => kind switch
    {
        "stderr" => Colour.Yellow,
        "error" => Colour.Red,
        "system" => Colour.Cyan,
        _ => null,
    };

    /// <summary>A log entry's kind and its text as it was printed; the data of any other event.</summary>
    private static (string? Kind, string Text) Content(StreamEvent arrived)
    {
        if (arrived.Type == "log_entry" && arrived.Data is { ValueKind: JsonValueKind.Object } entry
            && Text(entry, "type") is { } kind && Text(entry, "content") is { } content)
            return (Visible.Text(kind), Visible.Text(content));
        return (null, Visible.Text(Encoding.UTF8.GetString(arrived.DataJson.Span)));
    }

    private static string? Text(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String
            ? member.GetString()
            : null;
}
