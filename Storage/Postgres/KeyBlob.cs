using System.Buffers.Binary;
using System.Text;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Keys in one column, one behind the other: the row that has their events costs nothing more, and who owns
/// the stream knows which there are.</summary>
internal static class KeyBlob
{
    private const int Head = 4 + 8 + 8 + 8 + 16;

    /// <summary>The same for a server that knows keys only as rows. Numbers are big-endian, as its functions read
    /// them.</summary>
    public const string UnpackSql = """
        CREATE FUNCTION unpack_keys(packed bytea)
        RETURNS TABLE(seq bigint, expires bigint, epoch bigint, hash bytea, key bytea) LANGUAGE plpgsql AS $unpack$
        DECLARE
            place integer := 1;
            size integer;
        BEGIN
            WHILE place <= length(packed) LOOP
                size := ('x' || encode(substr(packed, place, 4), 'hex'))::bit(32)::integer;
                seq := ('x' || encode(substr(packed, place + 4, 8), 'hex'))::bit(64)::bigint;
                expires := ('x' || encode(substr(packed, place + 12, 8), 'hex'))::bit(64)::bigint;
                epoch := ('x' || encode(substr(packed, place + 20, 8), 'hex'))::bit(64)::bigint;
                hash := substr(packed, place + 28, 16);
                key := substr(packed, place + 44, size);
                RETURN NEXT;
                place := place + 44 + size;
            END LOOP;
        END $unpack$;
        """;

    /// <summary>The column with one key more.</summary>
    public static byte[] Add(byte[]? packed, LogKey key)
    {
        var (from, size) = (packed?.Length ?? 0, Encoding.UTF8.GetByteCount(key.Key));
        Array.Resize(ref packed, from + Head + size);
        var to = packed.AsSpan(from);
        BinaryPrimitives.WriteInt32BigEndian(to, size);
        BinaryPrimitives.WriteInt64BigEndian(to[4..], key.Seq);
        BinaryPrimitives.WriteInt64BigEndian(to[12..], key.ExpiresMs);
        BinaryPrimitives.WriteUInt64BigEndian(to[20..], key.Epoch);
        HashBytes.Write(to[28..], key.Hash);
        Encoding.UTF8.GetBytes(key.Key, to[Head..]);
        return packed;
    }

    public static IEnumerable<LogKey> Read(ReadOnlyMemory<byte> packed)
    {
        while (packed.Length > 0)
        {
            var size = Head + BinaryPrimitives.ReadInt32BigEndian(packed.Span);
            yield return One(packed.Span[..size]);
            packed = packed[size..];
        }
    }

    /// <summary>Those of events up to a number; null: none, and until when they are to be kept.</summary>
    public static (byte[]? Packed, long? Until) Upto(byte[]? packed, long seq)
    {
        var (kept, until) = ((byte[]?)null, (long?)null);
        foreach (var key in Read(packed).Where(key => key.Seq <= seq))
            (kept, until) = (Add(kept, key), Math.Max(until ?? 0, key.ExpiresMs));
        return (kept, until);
    }

    private static LogKey One(ReadOnlySpan<byte> packed) => new(Encoding.UTF8.GetString(packed[Head..]),
        HashBytes.Read(packed[28..Head]), BinaryPrimitives.ReadUInt64BigEndian(packed[20..]),
        BinaryPrimitives.ReadInt64BigEndian(packed[4..]), BinaryPrimitives.ReadInt64BigEndian(packed[12..]));
}
