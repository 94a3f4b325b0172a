using System.Globalization;
using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>The connection string, with what this program needs where it says nothing.</summary>
internal static class PostgresConnection
{
    // Every statement of the log is one of a few dozen texts.
    private const int PreparedStatements = 64;

    public static NpgsqlConnectionStringBuilder Of(PostgresOptions options)
    {
        var given = new NpgsqlConnectionStringBuilder(options.Connection);
        if (string.IsNullOrEmpty(given.Host)) throw new LogRefusedException("The connection string names no Host.");
        if (!given.ShouldSerialize("Maximum Pool Size")) given.MaxPoolSize = options.Connections;
        if (!given.ShouldSerialize("Max Auto Prepare")) given.MaxAutoPrepare = PreparedStatements;
        // No statement changes its session: there is nothing to reset.
        if (!given.ShouldSerialize("No Reset On Close")) given.NoResetOnClose = true;
        if (string.IsNullOrWhiteSpace(given.SearchPath)) given.SearchPath = PostgresSchema.DefaultName;
        if (!given.SearchPath.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter)
            || letter == '_'))
            throw new LogRefusedException("The connection string's Search Path must be one schema: lower-case letters, "
                + "digits and underscores.");
        // With the schema, so that servers over the same tables can be told from others.
        if (!given.ShouldSerialize("Application Name")) given.ApplicationName = $"OrleansEvents {given.SearchPath}";
        Limit(given, options);
        return given;
    }

    /// <summary>Connections to the server, or to that one of several which takes writes.</summary>
    public static NpgsqlDataSource Open(NpgsqlConnectionStringBuilder connection)
    {
        if (!connection.Host!.Contains(',', StringComparison.Ordinal)) return NpgsqlDataSource.Create(connection);
        var wanted = connection.TargetSessionAttributes;
        var several = new NpgsqlConnectionStringBuilder(connection.ConnectionString) { TargetSessionAttributes = null };
        return new NpgsqlDataSourceBuilder(several.ConnectionString).BuildMultiHost().WithTargetSession(
            string.Equals(wanted, "primary", StringComparison.OrdinalIgnoreCase)
                ? TargetSessionAttributes.Primary
                : wanted is null || string.Equals(wanted, "read-write", StringComparison.OrdinalIgnoreCase)
                    ? TargetSessionAttributes.ReadWrite
                    : throw new LogRefusedException("The connection string's Target Session Attributes must be "
                        + "primary or read-write."));
    }

    private static void Limit(NpgsqlConnectionStringBuilder given, PostgresOptions options)
    {
        if (!given.ShouldSerialize("Timeout")) given.Timeout = Seconds(options.ConnectTimeout);
        if (!given.ShouldSerialize("Command Timeout")) given.CommandTimeout = Seconds(options.StatementTimeout);
        if (!given.ShouldSerialize("Cancellation Timeout"))
            given.CancellationTimeout = (int)options.CancelTimeout.TotalMilliseconds;
        if (!given.ShouldSerialize("Host Recheck Seconds"))
            given.HostRecheckSeconds = Seconds(options.RecheckServers);
        if (!given.ShouldSerialize("Tcp Keepalive")) given.TcpKeepAlive = true;
        // Should the server not hear that it was given up: it must not write long after.
        if (!given.ShouldSerialize("Options") && given.CommandTimeout > 0)
            given.Options = string.Create(CultureInfo.InvariantCulture,
                $"-c statement_timeout={given.CommandTimeout}s");
    }

    private static int Seconds(TimeSpan time) => (int)Math.Ceiling(time.TotalSeconds);
}
