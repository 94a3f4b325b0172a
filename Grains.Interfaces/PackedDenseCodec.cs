using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Orleans.Serialization.Buffers;
using Orleans.Serialization.Cloning;
using Orleans.Serialization.Codecs;
using Orleans.Serialization.WireProtocol;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>Reads a dense run into pooled memory: Orleans' own codec makes an array for each, which would be a large
/// object hundreds of times a second.</summary>
[RegisterSerializer]
internal sealed class DenseRunCodec : IFieldCodec<DenseRun>
{
    /// <inheritdoc/>
    public void WriteField<TBufferWriter>(ref Writer<TBufferWriter> writer, uint fieldIdDelta,
        [AllowNull] Type expectedType,
        [AllowNull] DenseRun value) where TBufferWriter : IBufferWriter<byte>
    {
        if (value is null)
        {
            ReferenceCodec.WriteNullReference(ref writer, fieldIdDelta);
            return;
        }
        ReferenceCodec.MarkValueField(writer.Session);
        writer.WriteFieldHeader(fieldIdDelta, expectedType, typeof(DenseRun), WireType.LengthPrefixed);
        writer.WriteVarUInt32((uint)value.Bytes.Length);
        writer.Write(value.Bytes);
        // Again, behind them: a message that is sent a second time although it was answered must not carry what others
        // have written there since.
        Interlocked.MemoryBarrier();
        _ = value.Bytes;
    }

    /// <inheritdoc/>
    [return: MaybeNull]
    public DenseRun ReadValue<TInput>(ref Reader<TInput> reader, Field field)
    {
        if (field.WireType == WireType.Reference)
            return ReferenceCodec.ReadReference<DenseRun, TInput>(ref reader, field);
        ReferenceCodec.MarkValueField(reader.Session);
        var length = reader.ReadVarUInt32();
        if (length > DenseRun.MostBytes) throw DenseRun.Malformed();
        var bytes = BytePool.Rent((int)length);
        reader.ReadBytes(bytes.AsSpan(0, (int)length));
        return new DenseRun(bytes, (int)length, isRead: true);
    }
}

/// <summary>It is never changed.</summary>
[RegisterCopier]
internal sealed class DenseRunCopier : ShallowCopier<DenseRun>;
