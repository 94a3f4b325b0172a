using System.Buffers.Binary;

namespace OrleansEvents.Storage.Postgres;

/// <summary>A key's hash as bytes: there is no number of 128 bits in PostgreSQL.</summary>
internal static class HashBytes
{
    public static void Write(Span<byte> to, UInt128 hash) => BinaryPrimitives.WriteUInt128LittleEndian(to, hash);

    public static UInt128 Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt128LittleEndian(bytes);
}
