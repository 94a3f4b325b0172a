using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>
/// Encodes a stream's events, once, as the frame that every plain reader is sent: <c>id: CURSOR</c>, then
/// <c>data: {…}</c> with the members in the contract's order, then an empty line. Not thread-safe.
/// </summary>
internal sealed class EventEncoder
{
    [ThreadStatic]
    private static EventEncoder? t_own;

    private const int TimeLength = 24;
    private const int FixedBytes = 256;
    private readonly byte[] _time = new byte[TimeLength];
    private long _timeMs = long.MinValue;
    private readonly ArrayBufferWriter<byte> _afterSeq = new(128);
    private string? _stream;

    /// <summary>The thread's own, for a stream's events, until the next is asked for: a stream that is idle holds
    /// none.</summary>
    public static EventEncoder For(string stream)
    {
        var encoder = t_own ??= new();
        if (ReferenceEquals(encoder._stream, stream)) return encoder;
        encoder.Begin(stream);
        return encoder;
    }

    private void Begin(string stream)
    {
        _afterSeq.ResetWrittenCount();
        _afterSeq.Write(",\"stream\":\""u8);
        Encoding.ASCII.GetBytes(stream, _afterSeq);
        _afterSeq.Write("\",\"type\":\""u8);
        _stream = stream;
    }

    public void Encode(EventRun run, Cursor id, in NewEvent @event, bool critical, Instant now)
    {
        var key = @event.Key is null ? default : EncodeKey(@event.Key);
        var room = FixedBytes + _afterSeq.WrittenCount + @event.Type.Length + @event.Data.Length + key.Length
            + @event.CloudEvent.Length + @event.TraceParent.Length;
        var frame = new Writer(run.Reserve(room));
        Span<byte> cursor = stackalloc byte[Cursor.TextLength];
        id.Format(cursor);
        frame.Put("id: "u8);
        frame.Put(cursor);
        frame.Put("\ndata: {\"id\":\""u8);
        frame.Put(cursor);
        frame.Put("\",\"seq\":"u8);
        frame.Put(id.Seq);
        frame.Put(_afterSeq.WrittenSpan);
        var type = (frame.Length, @event.Type.Length);
        frame.Put(@event.Type.Span);
        frame.Put("\",\"version\":"u8);
        frame.Put(@event.Version);
        frame.Put(",\"time\":\""u8);
        frame.Put(TimeText(@event.Time?.ToUnixTimeMilliseconds() ?? now.UnixMs));
        frame.Put(critical ? "\",\"critical\":true,\"data\":"u8 : "\",\"critical\":false,\"data\":"u8);
        var data = (frame.Length, @event.Data.Length);
        frame.Put(@event.Data.Span);
        if (!key.IsEmpty)
        {
            frame.Put(",\"key\":\""u8);
            frame.Put(key);
            frame.Put("\""u8);
        }
        if (!@event.CloudEvent.IsEmpty)
        {
            frame.Put(",\"cloudevent\":"u8);
            frame.Put(@event.CloudEvent.Span);
        }
        if (!@event.TraceParent.IsEmpty)
        {
            frame.Put(",\"traceparent\":\""u8);
            frame.Put(@event.TraceParent.Span);
            frame.Put("\""u8);
        }
        frame.Put("}\n\n"u8);
        run.Commit(new EventSlot(id.Seq, now.UnixMs, 0, frame.Length, type, data, critical,
            traceParent: !@event.TraceParent.IsEmpty));
    }

    private static ReadOnlySpan<byte> EncodeKey(string key) =>
        JsonEncodedText.Encode(key, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes;

    private ReadOnlySpan<byte> TimeText(long unixMs)
    {
        if (unixMs == _timeMs) return _time;
        DateTimeOffset.FromUnixTimeMilliseconds(unixMs)
            .TryFormat(_time, out _, "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        _timeMs = unixMs;
        return _time;
    }

    private ref struct Writer(Span<byte> room)
    {
        private readonly Span<byte> _room = room;

        public int Length { get; private set; }

        public void Put(scoped ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_room[Length..]);
            Length += bytes.Length;
        }

        public void Put(long number)
        {
            Utf8Formatter.TryFormat(number, _room[Length..], out var written);
            Length += written;
        }
    }
}
