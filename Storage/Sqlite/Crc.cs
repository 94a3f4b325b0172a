using System.Numerics;
using System.Runtime.InteropServices;

namespace OrleansEvents.Storage.Sqlite;

/// <summary>CRC-32C of a row, together with the stream it belongs to: SQLite has no checksums, and a flipped bit in an
/// event must not reach a reader.</summary>
internal static class Crc
{
    public static uint Of(long stream, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) =>
        Add(Add(BitOperations.Crc32C(uint.MaxValue, (ulong)stream), a), b);

    /// <summary>The checksum of what it was of, and of more behind it.</summary>
    public static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words) crc = BitOperations.Crc32C(crc, word);
        foreach (var rest in bytes[(words.Length * sizeof(ulong))..]) crc = BitOperations.Crc32C(crc, rest);
        return crc;
    }
}
