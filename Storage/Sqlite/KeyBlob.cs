using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using OrleansEvents.Streams;
using SQLitePCL;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>Several keys as one blob: of each its numbers and its text, then a checksum of all.</summary>
internal readonly struct KeyBlob : IDisposable
{
    private const int NumberBytes = 16 + 8 + 8 + 8 + 2;
    private const int CrcBytes = 4;

    private readonly byte[] _pooled;
    private readonly int _length;

    private KeyBlob(byte[] pooled, int length) => (_pooled, _length) = (pooled, length);

    public ReadOnlySpan<byte> Bytes => _pooled.AsSpan(0, _length);

    public static KeyBlob Write(long stream, IReadOnlyList<LogKey> keys)
    {
        var most = CrcBytes;
        foreach (var key in keys) most += NumberBytes + Encoding.UTF8.GetMaxByteCount(key.Key.Length);
        var pooled = ArrayPool<byte>.Shared.Rent(most);
        var at = 0;
        foreach (var key in keys)
        {
            var numbers = pooled.AsSpan(at, NumberBytes);
            at += NumberBytes;
            var text = Encoding.UTF8.GetBytes(key.Key, pooled.AsSpan(at));
            at += text;
            BinaryPrimitives.WriteUInt128LittleEndian(numbers, key.Hash);
            BinaryPrimitives.WriteUInt64LittleEndian(numbers[16..], key.Epoch);
            BinaryPrimitives.WriteInt64LittleEndian(numbers[24..], key.Seq);
            BinaryPrimitives.WriteInt64LittleEndian(numbers[32..], key.ExpiresMs);
            BinaryPrimitives.WriteUInt16LittleEndian(numbers[40..], checked((ushort)text));
        }
        BinaryPrimitives.WriteUInt32LittleEndian(pooled.AsSpan(at), Crc.Of(stream, pooled.AsSpan(0, at), []));
        return new KeyBlob(pooled, at + CrcBytes);
    }

    public static List<LogKey> Read(long stream, ReadOnlySpan<byte> blob)
    {
        if (!IsWhole(stream, blob))
            throw new SqliteFailure(raw.SQLITE_CORRUPT, "a row of keys does not match its checksum");
        var keys = new List<LogKey>();
        blob = blob[..^CrcBytes];
        while (!blob.IsEmpty)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(blob[40..]);
            keys.Add(new LogKey(
                Encoding.UTF8.GetString(blob.Slice(NumberBytes, length)),
                BinaryPrimitives.ReadUInt128LittleEndian(blob),
                BinaryPrimitives.ReadUInt64LittleEndian(blob[16..]),
                BinaryPrimitives.ReadInt64LittleEndian(blob[24..]),
                BinaryPrimitives.ReadInt64LittleEndian(blob[32..])));
            blob = blob[(NumberBytes + length)..];
        }
        return keys;
    }

    public static bool IsWhole(long stream, ReadOnlySpan<byte> blob) => blob.Length >= CrcBytes
        && BinaryPrimitives.ReadUInt32LittleEndian(blob[^CrcBytes..]) == Crc.Of(stream, blob[..^CrcBytes], []);

    public void Dispose() => ArrayPool<byte>.Shared.Return(_pooled);
}
