using System.Buffers.Binary;

namespace OrleansEvents.Storage.Postgres;

/// <summary>A key's hash as bytes: there is no number of 128 bits in PostgreSQL.</summary>
internal static class HashBytes
{
    public static byte[] Of(UInt128 hash)
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, hash);
        return bytes;
    }

    public static UInt128 Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt128LittleEndian(bytes);
}
