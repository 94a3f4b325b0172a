using System.Buffers.Binary;
using System.Text;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>
/// A request's events on their way to the stream's owner, all in one piece of bytes: an array of events costs several
/// times as much to serialize. Each event is 24 bytes of lengths and numbers (little-endian), then type, key, data,
/// CloudEvent and trace context.
/// </summary>
/// <param name="Count">How many.</param>
/// <param name="Bytes">The events.</param>
[Immutable, Alias("OrleansEvents.PackedEvents")]
public sealed record PackedEvents(int Count, ReadOnlyMemory<byte> Bytes)
{
    private readonly bool _isRead;
    private byte[]? _pooled;
    private volatile bool _isReleased;

    /// <summary>Events in pooled memory; <paramref name="isRead"/> when a connection had them.</summary>
    internal PackedEvents(int count, byte[] pooled, int length, bool isRead)
        : this(count, pooled.AsMemory(0, length)) => (_pooled, _isRead) = (pooled, isRead);

    private const int HeadLength = 24;

    [Flags]
    private enum Said : byte
    {
        Nothing = 0,
        Critical = 1,
        NotCritical = 2,
        Key = 4,
        Time = 8,
    }

    /// <summary>Packs checked events; nothing of their memory is kept.</summary>
    public static PackedEvents Of(ReadOnlySpan<NewEvent> events)
    {
        var bytes = new byte[LengthOf(events)];
        Write(events, bytes);
        return new(events.Length, bytes);
    }

    /// <summary>Packs the events of several requests, one behind the other, in pooled memory
    /// (<see cref="Release"/>).</summary>
    /// <param name="requests">The events of each.</param>
    /// <param name="length">What <see cref="LengthOf"/> says of all together.</param>
    public static PackedEvents Of(IReadOnlyList<ReadOnlyMemory<NewEvent>> requests, int length)
    {
        var bytes = BytePool.Rent(length);
        var rest = bytes.AsSpan(0, length);
        var count = 0;
        foreach (var events in requests)
        {
            rest = Write(events.Span, rest);
            count += events.Length;
        }
        return new(count, bytes, length, isRead: false);
    }

    /// <summary>Gives pooled memory back: nobody looks at the events any more. Who does not know that leaves it to the
    /// collector.</summary>
    public void Release()
    {
        if (Interlocked.Exchange(ref _pooled, null) is not { } pooled) return;
        _isReleased = true;
        BytePool.Return(pooled);
    }

    internal void ThrowIfReleased() => ObjectDisposedException.ThrowIf(_isReleased, this);

    /// <summary>Gives the memory back if the events were read from a connection: within one node it is the
    /// sender's.</summary>
    public void ReleaseRead()
    {
        if (_isRead) Release();
    }

    /// <summary>Bytes that events take when they are packed.</summary>
    public static int LengthOf(ReadOnlySpan<NewEvent> events)
    {
        var length = 0;
        foreach (ref readonly var @event in events)
            length += HeadLength + @event.Type.Length + KeyLength(@event) + @event.Data.Length
                + @event.CloudEvent.Length + @event.TraceParent.Length;
        return length;
    }

    /// <summary>The events; their memories lie in <see cref="Bytes"/>. Throws <see cref="FormatException"/> for what
    /// was not packed by <see cref="Of"/>.</summary>
    public NewEvent[] Unpack()
    {
        if (Count < 1 || Count > Bytes.Length / HeadLength) throw Malformed();
        var events = new NewEvent[Count];
        var rest = Bytes;
        foreach (ref var @event in events.AsSpan()) rest = Read(rest, out @event);
        return rest.IsEmpty ? events : throw Malformed();
    }

    private static int KeyLength(in NewEvent @event) => @event.Key is null ? 0 : Encoding.UTF8.GetByteCount(@event.Key);

    private static Span<byte> Write(ReadOnlySpan<NewEvent> events, Span<byte> to)
    {
        foreach (ref readonly var @event in events) to = to[Write(@event, to)..];
        return to;
    }

    private static int Write(in NewEvent @event, Span<byte> to)
    {
        var key = KeyLength(@event);
        var said = (@event.Critical switch { true => Said.Critical, false => Said.NotCritical, null => Said.Nothing })
            | (@event.Key is null ? Said.Nothing : Said.Key)
            | (@event.Time is null ? Said.Nothing : Said.Time);
        BinaryPrimitives.WriteInt32LittleEndian(to, @event.Data.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(to[4..], checked((ushort)@event.Type.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(to[6..], checked((ushort)key));
        BinaryPrimitives.WriteUInt16LittleEndian(to[8..], checked((ushort)@event.Version));
        to[10] = (byte)said;
        to[11] = (byte)@event.TraceParent.Length;
        BinaryPrimitives.WriteInt64LittleEndian(to[12..], @event.Time?.ToUnixTimeMilliseconds() ?? 0);
        BinaryPrimitives.WriteInt32LittleEndian(to[20..], @event.CloudEvent.Length);
        var at = HeadLength;
        @event.Type.Span.CopyTo(to[at..]);
        at += @event.Type.Length;
        if (key > 0) at += Encoding.UTF8.GetBytes(@event.Key, to[at..]);
        @event.Data.Span.CopyTo(to[at..]);
        at += @event.Data.Length;
        @event.CloudEvent.Span.CopyTo(to[at..]);
        at += @event.CloudEvent.Length;
        @event.TraceParent.Span.CopyTo(to[at..]);
        return at + @event.TraceParent.Length;
    }

    private static ReadOnlyMemory<byte> Read(ReadOnlyMemory<byte> from, out NewEvent @event)
    {
        if (from.Length < HeadLength) throw Malformed();
        var head = from.Span;
        var data = BinaryPrimitives.ReadInt32LittleEndian(head);
        int type = BinaryPrimitives.ReadUInt16LittleEndian(head[4..]);
        int key = BinaryPrimitives.ReadUInt16LittleEndian(head[6..]);
        var said = (Said)head[10];
        int trace = head[11];
        var cloudEvent = BinaryPrimitives.ReadInt32LittleEndian(head[20..]);
        if (data < 0 || cloudEvent < 0 || HeadLength + type + key + trace > (long)from.Length - data - cloudEvent)
            throw Malformed();
        if (trace != 0 && trace != TraceParent.Length) throw Malformed();
        var body = from[HeadLength..];
        var behind = body[(type + key + data)..];
        @event = new NewEvent(
            body[..type],
            BinaryPrimitives.ReadUInt16LittleEndian(head[8..]),
            body.Slice(type + key, data),
            said.HasFlag(Said.Critical) ? true : said.HasFlag(Said.NotCritical) ? false : null,
            said.HasFlag(Said.Key) ? Encoding.UTF8.GetString(body.Span.Slice(type, key)) : null,
            said.HasFlag(Said.Time)
                ? DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(head[12..]))
                : null,
            behind[..cloudEvent],
            behind.Slice(cloudEvent, trace));
        return behind[(cloudEvent + trace)..];
    }

    private static FormatException Malformed() => new("These are not packed events.");
}
