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

    /// <summary>A column of what is given, as an array.</summary>
    public static NpgsqlCommand WithEach<TRow, T>(this NpgsqlCommand command, List<TRow> rows, Func<TRow, T> value)
    {
        var values = new T[rows.Count];
        for (var i = 0; i < values.Length; i++) values[i] = value(rows[i]);
        return command.With(values);
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

    /// <summary>Of what the statement was given, that whose place it answers with.</summary>
    public static async Task<HashSet<T>> Taken<T>(this NpgsqlCommand command, IReadOnlyList<T> given)
    {
        await using var disposed = command;
        var taken = new HashSet<T>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync()) taken.Add(given[reader.GetInt32(0)]);
        return taken;
    }

    public static async Task<bool> Finds(this NpgsqlCommand command)
    {
        await using var disposed = command;
        return await command.ExecuteScalarAsync() is not (null or DBNull);
    }
}
