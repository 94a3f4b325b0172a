using System.Net.ServerSentEvents;
using Microsoft.Data.Sqlite;

namespace OrleansEvents.Peer;

/// <summary>The usual way to make events durable: a row each, one transaction per publish, one connection.</summary>
internal sealed class EventTable : IDisposable
{
    private readonly SqliteConnection connection;
    private readonly SqliteCommand insert;
    private readonly Lock writing = new();

    public EventTable(string folder)
    {
        SQLitePCL.Batteries_V2.Init();
        connection = new SqliteConnection($"Data Source={Path.Combine(folder, "peer.db")};Pooling=False");
        connection.Open();
        Run("PRAGMA journal_mode=WAL");
        Run("PRAGMA synchronous=FULL");
        Run("CREATE TABLE events (stream TEXT, seq INTEGER, frame TEXT, PRIMARY KEY (stream, seq)) WITHOUT ROWID");
        insert = connection.CreateCommand();
        insert.CommandText = "INSERT INTO events VALUES ($stream, $seq, $frame)";
        insert.Parameters.Add("$stream", SqliteType.Text);
        insert.Parameters.Add("$seq", SqliteType.Integer);
        insert.Parameters.Add("$frame", SqliteType.Text);
        insert.Prepare();
    }

    public void Insert(string stream, long first, ReadOnlySpan<SseItem<string>> items)
    {
        lock (writing)
        {
            // A single insert is its own transaction, with two statements fewer.
            using var transaction = items.Length > 1 ? connection.BeginTransaction() : null;
            insert.Transaction = transaction;
            insert.Parameters[0].Value = stream;
            for (var i = 0; i < items.Length; i++)
            {
                insert.Parameters[1].Value = first + i;
                insert.Parameters[2].Value = items[i].Data;
                insert.ExecuteNonQuery();
            }
            transaction?.Commit();
        }
    }

    public void Dispose()
    {
        insert.Dispose();
        connection.Dispose();
    }

    private void Run(string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
