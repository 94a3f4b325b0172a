using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>
/// The tables, as numbered steps: a database at version n has had the first n. A step that was released is never
/// changed. They lie in a schema of their own, made by the first server that starts; the others wait for it.
/// </summary>
internal static class PostgresSchema
{
    /// <summary>The schema, unless the connection string names one as its search path.</summary>
    public const string DefaultName = "events";

    // Any number will do, as long as every server takes the same one.
    private const long MigrationLock = 0x4f724576_4d696772;

    private static readonly string[] s_steps =
    [
        // The row of a stream changes with every append: room on its page keeps that from touching the indexes.
        // Frames are not compressed: what is read most is the newest, and it is read whole.
        """
        CREATE TABLE streams(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            epoch bigint NOT NULL,
            stored bigint NOT NULL,
            reserved bigint NOT NULL,
            trimmed bigint NOT NULL,
            created bigint NOT NULL,
            close_end bigint,
            close_floor bigint,
            durable_since bigint,
            deleted bigint,
            completed boolean NOT NULL,
            name text COLLATE "C" NOT NULL UNIQUE,
            epochs bytea NOT NULL,
            settings text) WITH (fillfactor = 50);
        CREATE INDEX tombstones ON streams(deleted) WHERE deleted IS NOT NULL;
        CREATE TABLE runs(
            stream bigint NOT NULL,
            first bigint NOT NULL,
            last bigint NOT NULL,
            appended bigint NOT NULL,
            count integer NOT NULL,
            critical integer NOT NULL,
            bytes integer NOT NULL,
            slots bytea NOT NULL,
            frames bytea NOT NULL,
            PRIMARY KEY(stream, first));
        ALTER TABLE runs ALTER COLUMN slots SET STORAGE EXTERNAL, ALTER COLUMN frames SET STORAGE EXTERNAL;
        CREATE TABLE keys(
            stream bigint NOT NULL,
            seq bigint NOT NULL,
            expires bigint NOT NULL,
            epoch bigint NOT NULL,
            hash bytea NOT NULL,
            key bytea NOT NULL,
            PRIMARY KEY(stream, key));
        CREATE INDEX keys_expiring ON keys(stream, expires);
        CREATE TABLE rings(
            stream bigint PRIMARY KEY,
            slots bytea NOT NULL,
            frames bytea NOT NULL);
        CREATE TABLE subscribers(
            stream bigint NOT NULL,
            wakes boolean NOT NULL,
            name text COLLATE "C" NOT NULL,
            state bytea NOT NULL,
            PRIMARY KEY(stream, name));
        CREATE INDEX subscribers_to_wake ON subscribers(stream) WHERE wakes;
        CREATE TABLE parked(
            stream bigint NOT NULL,
            seq bigint NOT NULL,
            parked bigint NOT NULL,
            subscriber text COLLATE "C" NOT NULL,
            slot bytea NOT NULL,
            note bytea NOT NULL,
            frame bytea NOT NULL,
            PRIMARY KEY(stream, subscriber, seq));
        ALTER TABLE parked ALTER COLUMN frame SET STORAGE EXTERNAL;
        CREATE TABLE purges(stream bigint PRIMARY KEY);
        CREATE TABLE probes(id integer PRIMARY KEY, count bigint NOT NULL);
        INSERT INTO probes VALUES(1, 0);
        """,
        // A subscriber may have an owner of its own.
        "ALTER TABLE subscribers ADD COLUMN epoch bigint NOT NULL DEFAULT 0",
        // Appends no longer touch the rows of their streams, and keys lie with the events that they are of. A server of
        // the version before says nothing of who opens: then the trigger fences as it must be, and gives it the keys.
        $"""
        CREATE TABLE owners(
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            turn bigint NOT NULL) WITH (fillfactor = 10);
        ALTER TABLE streams ADD COLUMN owner bigint, ADD COLUMN openings bigint NOT NULL DEFAULT 0;
        ALTER TABLE runs ADD COLUMN keys_until bigint, ADD COLUMN keys bytea;
        CREATE TABLE kept_keys(
            stream bigint NOT NULL,
            first bigint NOT NULL,
            until bigint NOT NULL,
            keys bytea NOT NULL,
            PRIMARY KEY(stream, first));
        {KeyBlob.UnpackSql}
        CREATE FUNCTION taken_as_before() RETURNS trigger LANGUAGE plpgsql AS $taken$
        BEGIN
            UPDATE owners SET turn = turn + 1 WHERE id = OLD.owner;
            NEW.owner := NULL;
            INSERT INTO keys(stream, seq, expires, epoch, hash, key)
            SELECT DISTINCT ON (k.key) OLD.id, k.seq, k.expires, k.epoch, k.hash, k.key
            FROM (SELECT keys FROM runs WHERE stream = OLD.id AND keys IS NOT NULL
                UNION ALL SELECT keys FROM kept_keys WHERE stream = OLD.id) packed, unpack_keys(packed.keys) k
            ORDER BY k.key, k.seq DESC
            ON CONFLICT (stream, key) DO UPDATE SET seq = excluded.seq, expires = excluded.expires,
                epoch = excluded.epoch, hash = excluded.hash;
            RETURN NEW;
        END $taken$;
        CREATE TRIGGER taken_as_before BEFORE UPDATE OF epoch ON streams FOR EACH ROW
            WHEN (NEW.openings = OLD.openings AND OLD.owner IS NOT NULL) EXECUTE FUNCTION taken_as_before();
        """,
    ];

    /// <summary>The version this program reads and writes.</summary>
    public static int Version => s_steps.Length;

    /// <summary>Makes the schema, or takes it to this program's version; says which version it was. Throws
    /// <see cref="LogRefusedException"/> when it is newer.</summary>
    public static int Migrate(NpgsqlDataSource source, string schema)
    {
        var was = 0;
        UnderLock(source, schema, connection =>
        {
            Execute(connection, "CREATE TABLE IF NOT EXISTS versions(version integer PRIMARY KEY)");
            using var read = new NpgsqlCommand("SELECT coalesce(max(version), 0) FROM versions", connection);
            was = (int)read.ExecuteScalar()!;
            if (was > Version)
                throw new LogRefusedException($"The database has version {was} of its tables, and this program knows "
                    + $"only {Version}: start a newer one.");
            for (var version = was; version < Version; version++) Step(connection, version);
        });
        return was;
    }

    /// <summary>Changes tables of the schema, which is made if it is not there, while no other server does.</summary>
    public static void UnderLock(NpgsqlDataSource source, string schema, Action<NpgsqlConnection> change)
    {
        using var connection = source.OpenConnection();
        Execute(connection, "SET statement_timeout = 0");
        // Held by the connection: it ends with it, whatever happens.
        Execute(connection, $"SELECT pg_advisory_lock({MigrationLock})");
        try
        {
            Execute(connection, $"CREATE SCHEMA IF NOT EXISTS {Quoted(schema)}");
            change(connection);
        }
        finally
        {
            Execute(connection, $"SELECT pg_advisory_unlock({MigrationLock})");
            Execute(connection, "RESET statement_timeout");
        }
    }

    /// <summary>Whether another server is connected to the same tables, as far as connections' names tell.</summary>
    public static bool HasOthers(NpgsqlDataSource source)
    {
        using var command = source.CreateCommand("""
            SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()
                AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()
            """);
        return command.ExecuteScalar() is true;
    }

    private static void Step(NpgsqlConnection connection, int from)
    {
        using var transaction = connection.BeginTransaction();
        Execute(connection, s_steps[from]);
        Execute(connection, $"INSERT INTO versions VALUES({from + 1})");
        transaction.Commit();
    }

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static void Execute(NpgsqlConnection connection, string sql)
    {
#pragma warning disable CA2100 // Made of constants, and of a name that is quoted.
        // However long it takes, and other servers wait for the first.
        using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
