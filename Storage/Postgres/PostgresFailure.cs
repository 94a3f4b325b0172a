using System.Net.Sockets;
using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>What a failed statement means.</summary>
internal static class PostgresFailure
{
    /// <summary>Storage as a whole did not take it; anything else may be the fault of one write in a group.</summary>
    public static bool IsStorage(Exception failure) => failure switch
    {
        // Connections, resources, an operator's shutdown, the system, a standby that does not write.
        PostgresException answered => answered.SqlState[..2] is "08" or "53" or "57" or "58" or "25",
        NpgsqlException or SocketException or TimeoutException or IOException or ObjectDisposedException => true,
        _ => false,
    };

    public static LogUnavailableException Unavailable(Exception failure) =>
        new($"PostgreSQL: {(failure is PostgresException answered ? answered.MessageText : failure.Message)}", failure);

    public static LogFencedException Fenced(LogHandle handle) =>
        new($"Stream {handle.Id} is no longer open in epoch {handle.Epoch:x16}.");

    /// <summary>What the call gives; its failure as the port has it.</summary>
    public static async Task<T> Of<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception failure) when (failure is NpgsqlException or SocketException or TimeoutException
            or IOException or ObjectDisposedException)
        {
            throw Unavailable(failure);
        }
    }
}
