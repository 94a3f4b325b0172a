using System.Net;
using Npgsql;
using OrleansEvents.Silo.Database;

namespace OrleansEvents.Silo.Membership;

/// <summary>A node as the table of all has it.</summary>
internal sealed record Member(IPEndPoint Endpoint, int Generation, DateTime Alive);

/// <summary>The table of all nodes, for what Orleans does not do with it.</summary>
internal sealed class Members(string connection, string cluster) : IAsyncDisposable
{
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(connection);

    /// <summary>Those that are not dead by the table, and have not said that they live for so long. Throws as the
    /// database does.</summary>
    public async Task<IReadOnlyList<Member>> SilentFor(TimeSpan limit, CancellationToken cancel)
    {
        await using var command = _source.CreateCommand($"""
            SELECT address, port, generation, alive FROM members
            WHERE cluster = $1 AND status >= {MemberStatus.Created} AND status < {MemberStatus.Dead}
                AND alive < now() - $2
            """);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = cluster });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = limit });
        var found = new List<Member>();
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
        {
            found.Add(new Member(new IPEndPoint(IPAddress.Parse(reader.GetString(0)), reader.GetInt32(1)),
                reader.GetInt32(2), reader.GetDateTime(3)));
        }
        return found;
    }

    /// <summary>Declares one dead, unless it has said since that it lives; whether it was. Throws as the database
    /// does.</summary>
    public async Task<bool> Bury(Member member, CancellationToken cancel)
    {
        // The cluster's row first, like every change of members: it is the lock for which they queue.
        await using var command = _source.CreateCommand($"""
            WITH moved AS (
                UPDATE clusters SET version = version + 1 WHERE cluster = $1 RETURNING cluster)
            UPDATE members m SET status = {MemberStatus.Dead} FROM moved
            WHERE m.cluster = moved.cluster AND address = $2 AND port = $3 AND generation = $4 AND alive = $5
                AND status < {MemberStatus.Dead}
            """);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = cluster });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = member.Endpoint.Address.ToString() });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = member.Endpoint.Port });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = member.Generation });
        command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = member.Alive });
        return await command.ExecuteNonQueryAsync(cancel) > 0;
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();
}
