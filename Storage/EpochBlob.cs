using System.Buffers.Binary;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage;

/// <summary>A stream's epochs as one blob, 25 bytes each, oldest first: at most 16, and always read together.</summary>
internal static class EpochBlob
{
    private const int Bytes = 8 + 8 + 8 + 1;
    private const long NoEnd = -1;

    public static byte[] Write(IReadOnlyList<EpochRecord> epochs)
    {
        var blob = new byte[epochs.Count * Bytes];
        for (var i = 0; i < epochs.Count; i++)
        {
            var to = blob.AsSpan(i * Bytes);
            BinaryPrimitives.WriteUInt64LittleEndian(to, epochs[i].Epoch);
            BinaryPrimitives.WriteInt64LittleEndian(to[8..], epochs[i].First);
            BinaryPrimitives.WriteInt64LittleEndian(to[16..], epochs[i].End ?? NoEnd);
            to[24] = epochs[i].Graceful ? (byte)1 : (byte)0;
        }
        return blob;
    }

    public static EpochRecord[] Read(ReadOnlySpan<byte> blob)
    {
        var epochs = new EpochRecord[blob.Length / Bytes];
        for (var i = 0; i < epochs.Length; i++)
        {
            var from = blob[(i * Bytes)..];
            var end = BinaryPrimitives.ReadInt64LittleEndian(from[16..]);
            epochs[i] = new EpochRecord(BinaryPrimitives.ReadUInt64LittleEndian(from),
                BinaryPrimitives.ReadInt64LittleEndian(from[8..]), end == NoEnd ? null : end, from[24] != 0);
        }
        return epochs;
    }

    /// <summary>Whether the blob can be what an opening with this epoch wrote.</summary>
    public static bool IsWhole(ReadOnlySpan<byte> blob, ulong current)
    {
        if (blob.IsEmpty || blob.Length % Bytes != 0 || blob.Length / Bytes > IEventLog.EpochsKept) return false;
        var epochs = Read(blob);
        return epochs[^1].Epoch == current && epochs[^1].End is null
            && epochs.All(epoch => epoch.First is > 0 and < Cursor.SeqLimit);
    }
}
