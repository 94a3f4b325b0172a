using Npgsql;

namespace OrleansEvents.Storage.Postgres;

/// <summary>A stream's row as its openings see it.</summary>
internal static class StreamColumns
{
    public const string All = """
        id, deleted, close_end, close_floor, reserved, trimmed, durable_since, completed, created, epochs, settings,
        owner
        """;

    public static StreamRow Read(NpgsqlDataReader row)
    {
        return new StreamRow(row.GetInt64(0), LongOrNull(1), LongOrNull(2), LongOrNull(3) ?? 0, row.GetInt64(4),
            row.GetInt64(5), LongOrNull(6), row.GetBoolean(7), row.GetInt64(8),
            EpochBlob.Read(row.GetFieldValue<byte[]>(9)), row.IsDBNull(10) ? null : row.GetString(10))
        {
            Owner = LongOrNull(11),
        };

        long? LongOrNull(int column) => row.IsDBNull(column) ? null : row.GetInt64(column);
    }
}
