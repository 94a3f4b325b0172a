using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace OrleansEvents.Streams;

/// <summary>Reads a CloudEvent in binary mode: its attributes are headers, its data is the body.</summary>
internal static class CloudEventMessage
{
    /// <summary>Makes the event. Returns what is wrong, or null.</summary>
    /// <param name="attributes">The headers that begin with <c>ce-</c>, without that, each value by itself.</param>
    /// <param name="contentType">The type of the body: the attribute <c>datacontenttype</c>.</param>
    /// <param name="body">The data. JSON stays where it is.</param>
    /// <param name="event">The event.</param>
    public static string? Read(IEnumerable<KeyValuePair<string, string>> attributes, string? contentType,
        Memory<byte> body, out NewEvent @event)
    {
        @event = default;
        var draft = new CloudEventDraft();
        foreach (var (name, value) in attributes)
        {
            var lower = Encoding.UTF8.GetBytes(name.ToLowerInvariant());
            if (CloudEventDraft.NameProblem(lower) is { } badName) return badName;
            if (lower.AsSpan().SequenceEqual("datacontenttype"u8))
                return "\"datacontenttype\" must be the Content-Type of the request, and no header of its own.";
            if (!TryDecode(value, out var text))
                return $"\"{StreamName.Shown(name)}\" must be a header in UTF-8, percent-encoded if not ASCII.";
            if (draft.AddText(lower, text) is { } problem) return problem;
        }
        if (!string.IsNullOrEmpty(contentType)
            && draft.AddText("datacontenttype"u8, Encoding.UTF8.GetBytes(contentType)) is { } badType) return badType;
        var form = draft.Form ?? DataForm.Bytes;
        if (ReadData(body, form, out var data) is { } badData) return badData;
        return draft.Finish(data, form == DataForm.Bytes && !data.IsEmpty, out @event);
    }

    /// <summary>A header's value: a quoted string or bare, then percent-decoded once, then valid UTF-8.</summary>
    internal static bool TryDecode(string value, [NotNullWhen(true)] out byte[]? utf8)
    {
        utf8 = null;
        if (value.StartsWith('"') && !TryUnquote(value, out value!)) return false;
        var text = new byte[value.Length * 3];
        if (Utf8.FromUtf16(value, text, out _, out var length, replaceInvalidSequences: false) != OperationStatus.Done)
            return false;
        var decoded = 0;
        for (var i = 0; i < length; i++)
        {
            if (text[i] != '%')
            {
                text[decoded++] = text[i];
                continue;
            }
            if (i + 2 >= length
                || !Utf8Parser.TryParse(text.AsSpan(i + 1, 2), out byte b, out var digits, 'x') || digits != 2)
                return false;
            text[decoded++] = b;
            i += 2;
        }
        utf8 = text[..decoded];
        return Utf8.IsValid(utf8);
    }

    private static bool TryUnquote(string value, [NotNullWhen(true)] out string? content)
    {
        content = null;
        var text = new StringBuilder(value.Length);
        for (var i = 1; i < value.Length; i++)
        {
            if (value[i] == '"')
            {
                content = text.ToString();
                return i == value.Length - 1;
            }
            if (value[i] == '\\' && ++i == value.Length) return false;
            text.Append(value[i]);
        }
        return false;
    }

    private static string? ReadData(Memory<byte> body, DataForm form, out ReadOnlyMemory<byte> data)
    {
        data = default;
        if (body.IsEmpty) return null;
        switch (form)
        {
            case DataForm.Json:
                return ReadJson(body, out data);
            case DataForm.Text:
                if (!Utf8.IsValid(body.Span)) return "\"data\" is not valid UTF-8, and no other charset is named.";
                data = JsonText.Quote(body.Span);
                return null;
            default:
                var quoted = new byte[Base64.GetMaxEncodedToUtf8Length(body.Length) + 2];
                Base64.EncodeToUtf8(body.Span, quoted.AsSpan(1), out _, out var written);
                quoted[0] = quoted[written + 1] = (byte)'"';
                data = quoted.AsMemory(0, written + 2);
                return null;
        }
    }

    private static string? ReadJson(Memory<byte> body, out ReadOnlyMemory<byte> data)
    {
        data = default;
        body = body[JsonText.MarkLength(body.Span)..];
        if (JsonText.Problem(body.Span) is { } problem) return problem;
        try
        {
            var reader = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = PublishBody.MaxDataDepth });
            reader.Read();
            data = EventReader.ReadData(ref reader, body);
            // Throws if anything follows.
            reader.Read();
            return null;
        }
        catch (JsonException e)
        {
            return $"\"data\" is malformed JSON. {e.Message}";
        }
    }
}
