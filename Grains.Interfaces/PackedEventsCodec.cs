using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Orleans.Serialization.Buffers;
using Orleans.Serialization.Cloning;
using Orleans.Serialization.Codecs;
using Orleans.Serialization.WireProtocol;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>Reads packed events into pooled memory, so that a call may carry many. What goes over the wire is what a
/// generated serializer would make of members 0 and 1, which nodes of the version before have.</summary>
[RegisterSerializer]
internal sealed class PackedEventsCodec : IFieldCodec<PackedEvents>
{
    /// <inheritdoc/>
    public void WriteField<TBufferWriter>(ref Writer<TBufferWriter> writer, uint fieldIdDelta,
        [AllowNull] Type expectedType, [AllowNull] PackedEvents value) where TBufferWriter : IBufferWriter<byte>
    {
        if (ReferenceCodec.TryWriteReferenceField(ref writer, fieldIdDelta, expectedType, value)) return;
        writer.WriteStartObject(fieldIdDelta, expectedType, typeof(PackedEvents));
        // A record's own members stand behind those of its constructor, of which none are numbered.
        writer.WriteEndBase();
        Int32Codec.WriteField(ref writer, 0, value!.Count);
        ReadOnlyMemoryOfByteCodec.WriteField(ref writer, 1, value.Bytes);
        writer.WriteEndObject();
        // Behind the bytes: a message that is sent again although it was answered must not carry what others have
        // written there since.
        Interlocked.MemoryBarrier();
        value.ThrowIfReleased();
    }

    /// <inheritdoc/>
    [return: MaybeNull]
    public PackedEvents ReadValue<TInput>(ref Reader<TInput> reader, Field field)
    {
        if (field.WireType == WireType.Reference)
            return ReferenceCodec.ReadReference<PackedEvents, TInput>(ref reader, field);
        field.EnsureWireTypeTagDelimited();
        var placeholder = ReferenceCodec.CreateRecordPlaceholder(reader.Session);
        var (count, bytes, length, id) = (0, Array.Empty<byte>(), 0, 0u);
        while (true)
        {
            var member = reader.ReadFieldHeader();
            if (member.IsEndObject) break;
            if (member.IsEndBaseFields)
            {
                id = 0;
                continue;
            }
            id += member.FieldIdDelta;
            if (id == 0) count = Int32Codec.ReadValue(ref reader, member);
            else if (id == 1) bytes = Bytes(ref reader, member, out length);
            else reader.ConsumeUnknownField(member);
        }
        var events = new PackedEvents(count, bytes, length, isRead: true);
        ReferenceCodec.RecordObject(reader.Session, events, placeholder);
        return events;
    }

    private static byte[] Bytes<TInput>(ref Reader<TInput> reader, Field field, out int length)
    {
        field.EnsureWireType(WireType.LengthPrefixed);
        // As if they were an object of their own, which another might refer to: numbers must not shift.
        ReferenceCodec.MarkValueField(reader.Session);
        length = checked((int)reader.ReadVarUInt32());
        if (length > DenseRun.MostBytes) throw new FormatException("These are not packed events.");
        var bytes = BytePool.Rent(length);
        reader.ReadBytes(bytes.AsSpan(0, length));
        return bytes;
    }
}

/// <summary>They are never changed.</summary>
[RegisterCopier]
internal sealed class PackedEventsCopier : ShallowCopier<PackedEvents>;
