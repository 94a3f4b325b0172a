using Microsoft.Data.Sqlite;

namespace OrleansEvents.Durable;

/// <summary>The usual way: a row an event, a transaction a row, one connection for all publishers.</summary>
internal sealed class TransactionPerEvent : IDisposable
{
    private readonly SqliteConnection connection;
    private readonly SqliteCommand insert;
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly byte[] frame;
    private long seq;

    public TransactionPerEvent(string folder, int eventBytes)
    {
        SQLitePCL.Batteries_V2.Init();
        frame = new byte[eventBytes];
        connection = new SqliteConnection($"Data Source={Path.Combine(folder, "transactions.db")};Pooling=False");
        connection.Open();
        Run("PRAGMA journal_mode=WAL");
        Run("PRAGMA synchronous=FULL");
        Run("CREATE TABLE events (stream TEXT, seq INTEGER, frame BLOB, PRIMARY KEY (stream, seq)) WITHOUT ROWID");
        insert = connection.CreateCommand();
        insert.CommandText = "INSERT INTO events VALUES ('bench', $seq, $frame)";
        insert.Parameters.Add("$seq", SqliteType.Integer);
        insert.Parameters.Add("$frame", SqliteType.Blob);
        insert.Prepare();
    }

    public async ValueTask Publish()
    {
        await turn.WaitAsync();
        try
        {
            insert.Parameters[0].Value = ++seq;
            insert.Parameters[1].Value = frame;
            insert.ExecuteNonQuery();    // its own transaction: SQLite commits it before it returns
        }
        finally
        {
            turn.Release();
        }
    }

    public void Dispose()
    {
        insert.Dispose();
        connection.Dispose();
        turn.Dispose();
    }

    private void Run(string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
