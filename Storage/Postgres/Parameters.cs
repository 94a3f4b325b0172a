using Npgsql;
using NpgsqlTypes;

namespace OrleansEvents.Storage.Postgres;

/// <summary>Positional parameters, one behind the other, without boxing.</summary>
internal static class Parameters
{
    public static NpgsqlCommand With<T>(this NpgsqlCommand command, T value)
    {
        command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });
        return command;
    }

    public static NpgsqlCommand With(this NpgsqlCommand command, long? value)
    {
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Bigint,
            Value = (object?)value ?? DBNull.Value });
        return command;
    }

    /// <summary>An epoch: 64 random bits, of which PostgreSQL knows only the signed reading.</summary>
    public static NpgsqlCommand With(this NpgsqlCommand command, ulong epoch) => command.With(unchecked((long)epoch));

    public static async Task<bool> Changes(this NpgsqlCommand command)
    {
        await using var disposed = command;
        return await command.ExecuteNonQueryAsync() > 0;
    }

    public static async Task<T?> Scalar<T>(this NpgsqlCommand command) where T : class
    {
        await using var disposed = command;
        return await command.ExecuteScalarAsync() as T;
    }

    public static async Task<bool> Finds(this NpgsqlCommand command)
    {
        await using var disposed = command;
        return await command.ExecuteScalarAsync() is not (null or DBNull);
    }
}
