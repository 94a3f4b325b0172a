using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>An event's id as it is remembered: its text packed into numbers where it has a server's usual form (20
/// characters of base64url). Thousands of texts that live for a while are what a collector works on most.</summary>
internal readonly record struct EventId
{
    private const int TextLength = 20;
    private const int ByteLength = 15;

    public EventId(string text)
    {
        Span<byte> bytes = stackalloc byte[ByteLength + 1];
        // So many bytes of so many characters: none of them was a space or padding, which decoding would lose.
        if (text.Length == TextLength
            && Base64Url.DecodeFromChars(text, bytes, out _, out var length) == OperationStatus.Done
            && length == ByteLength)
        {
            High = BinaryPrimitives.ReadUInt64BigEndian(bytes);
            Low = BinaryPrimitives.ReadUInt64BigEndian(bytes[(ByteLength - sizeof(ulong))..]);
        }
        else
        {
            Text = text;
        }
    }

    private EventId(ulong high, ulong low, string? text) => (High, Low, Text) = (high, low, text);

    /// <summary>The first eight bytes…</summary>
    public ulong High { get; }

    /// <summary>… and the last eight; one byte is in both.</summary>
    public ulong Low { get; }

    /// <summary>The text of one that has not the usual form.</summary>
    public string? Text { get; }

    /// <summary>The id whose last bytes are so much larger.</summary>
    public EventId Plus(int count) => count == 0 ? this : new(High, Low + (ulong)count, Text);

    /// <summary>The text that this was made of.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        if (Text is not null)
        {
            json.WriteStringValue(Text);
            return;
        }
        Span<byte> bytes = stackalloc byte[ByteLength];
        Span<byte> text = stackalloc byte[TextLength];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[(ByteLength - sizeof(ulong))..], Low);
        Base64Url.EncodeToUtf8(bytes, text);
        json.WriteStringValue(text);
    }
}
