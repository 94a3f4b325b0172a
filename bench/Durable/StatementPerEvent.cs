using Npgsql;

namespace OrleansEvents.Durable;

/// <summary>The usual way with PostgreSQL: a statement an event, prepared and auto-committed, over a pool of as many
/// connections as the log has. With the fence it also checks and locks its stream's row, as the log must.</summary>
internal sealed class StatementPerEvent : IAsyncDisposable
{
    private const int Connections = 20;

    private const string Insert = "INSERT INTO statement_events VALUES($1, $2, $3)";

    private const string Fenced = """
        WITH held AS (
            UPDATE statement_streams SET stored = greatest(stored, $2) WHERE id = $1 AND epoch = 1 RETURNING id)
        INSERT INTO statement_events SELECT id, $2, $3 FROM held
        """;

    private readonly NpgsqlDataSource source;
    private readonly SemaphoreSlim free = new(Connections);
    private readonly bool fenced;
    private readonly int streams;
    private readonly byte[] frame;
    private long seq;

    private StatementPerEvent(NpgsqlDataSource source, bool fenced, int streams, int eventBytes) =>
        (this.source, this.fenced, this.streams, frame) = (source, fenced, streams, new byte[eventBytes]);

    public static async Task<StatementPerEvent> Start(string connection, bool fenced, int streams, int eventBytes)
    {
        var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connection)
        {
            MaxPoolSize = Connections, MaxAutoPrepare = 4, SearchPath = "public",
        });
        await using var make = source.CreateCommand($"""
            DROP TABLE IF EXISTS statement_streams, statement_events;
            CREATE TABLE statement_streams(id bigint PRIMARY KEY, epoch bigint NOT NULL, stored bigint NOT NULL)
                WITH (fillfactor = 50);
            CREATE TABLE statement_events(stream bigint, seq bigint, frame bytea NOT NULL, PRIMARY KEY(stream, seq));
            INSERT INTO statement_streams SELECT id, 1, 0 FROM generate_series(0, {streams - 1}) id;
            """);
        await make.ExecuteNonQueryAsync();
        return new StatementPerEvent(source, fenced, streams, eventBytes);
    }

    public async ValueTask Publish()
    {
        await free.WaitAsync();
        try
        {
            var next = Interlocked.Increment(ref seq);
            await using var command = source.CreateCommand(fenced ? Fenced : Insert);
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = next % streams });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = next });
            command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = frame });
            await command.ExecuteNonQueryAsync();
        }
        finally
        {
            free.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await using (var drop = source.CreateCommand("DROP TABLE statement_streams, statement_events"))
            await drop.ExecuteNonQueryAsync();
        await source.DisposeAsync();
        free.Dispose();
    }
}
