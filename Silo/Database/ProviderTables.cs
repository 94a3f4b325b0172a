using Npgsql;
using OrleansEvents.Api.Options;
using OrleansEvents.Storage.Postgres;

namespace OrleansEvents.Silo.Database;

/// <summary>
/// The tables in which Orleans' ADO.NET providers keep the cluster's members, reminders and small states, and the
/// statements that the providers find in <c>OrleansQuery</c> by name. They lie in the schema of the event log. Only the
/// statements know the tables, and the first node of a newer program brings its own: a table may gain columns, but what
/// a statement takes and gives is the providers'.
/// </summary>
internal sealed class ProviderTables : IHostedService
{
    /// <summary>Makes what is not there, before the node that needs it starts. Throws
    /// <see cref="StartRefusedException"/>.</summary>
    public ProviderTables(string connection)
    {
        try
        {
            Make(connection);
        }
        catch (NpgsqlException failure)
        {
            throw new StartRefusedException($"PostgreSQL cannot be used: {failure.Message}", failure);
        }
    }

    private const string Tables = """
        CREATE TABLE IF NOT EXISTS clusters(
            cluster text PRIMARY KEY,
            version integer NOT NULL);
        CREATE TABLE IF NOT EXISTS members(
            cluster text NOT NULL,
            address text NOT NULL,
            port integer NOT NULL,
            generation integer NOT NULL,
            gateway integer NOT NULL,
            status integer NOT NULL,
            started timestamptz NOT NULL,
            alive timestamptz NOT NULL,
            name text NOT NULL,
            host text NOT NULL,
            suspects text,
            PRIMARY KEY(cluster, address, port, generation));
        CREATE TABLE IF NOT EXISTS reminders(
            service text NOT NULL,
            grain text NOT NULL,
            name text NOT NULL,
            hash integer NOT NULL,
            version integer NOT NULL,
            begins timestamptz NOT NULL,
            period bigint NOT NULL,
            PRIMARY KEY(service, grain, name));
        CREATE INDEX IF NOT EXISTS reminders_by_hash ON reminders(service, hash);
        CREATE TABLE IF NOT EXISTS grain_states(
            service text NOT NULL,
            type text NOT NULL,
            n0 bigint NOT NULL,
            n1 bigint NOT NULL,
            key text NOT NULL,
            version integer NOT NULL,
            state bytea,
            PRIMARY KEY(service, type, n0, n1, key));
        CREATE TABLE IF NOT EXISTS OrleansQuery(
            QueryKey text PRIMARY KEY,
            QueryText text NOT NULL);
        """;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static void Make(string connection)
    {
        using var source = NpgsqlDataSource.Create(connection);
        var schema = new NpgsqlConnectionStringBuilder(connection).SearchPath!;
        PostgresSchema.UnderLock(source, schema, open =>
        {
            using var tables = new NpgsqlCommand(Tables, open);
            tables.ExecuteNonQuery();
            foreach (var (key, text) in ProviderQueries.All)
            {
                using var query = new NpgsqlCommand("""
                    INSERT INTO OrleansQuery VALUES($1, $2)
                    ON CONFLICT (QueryKey) DO UPDATE SET QueryText = excluded.QueryText
                    WHERE OrleansQuery.QueryText <> excluded.QueryText
                    """, open);
                query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = key });
                query.Parameters.Add(new NpgsqlParameter<string> { TypedValue = text });
                query.ExecuteNonQuery();
            }
        });
    }
}
