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
        if (!given.ShouldSerialize("Application Name")) given.ApplicationName = "OrleansEvents";
        if (string.IsNullOrWhiteSpace(given.SearchPath)) given.SearchPath = PostgresSchema.DefaultName;
        if (!given.SearchPath.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter)
            || letter == '_'))
            throw new LogRefusedException("The connection string's Search Path must be one schema: lower-case letters, "
                + "digits and underscores.");
        return given;
    }
}
