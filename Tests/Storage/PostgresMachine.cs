using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>A PostgreSQL of one test, which stops, kills, freezes and starts it again, and may have a standby. It ends
/// with the tests, however these end.</summary>
internal sealed class PostgresMachine : IAsyncDisposable
{
    // A shell that takes orders: as root the server must be another user's. Its standby, when it has one, is "2".
    private const string Script = """
        trap '' INT TERM
        bin=$1 folder=$2 user=
        if [ "$(id -u)" = 0 ]; then
            user="setpriv --reuid nobody --regid nogroup --clear-groups"
            chown nobody "$folder"
        fi
        cd "$folder"
        all() { for stat in /proc/[0-9]*/stat; do
            read -r id _ _ parent _ <"$stat" 2>/dev/null && [ "$parent" = "$1" ] && echo "$id"; done; }
        while read -r order n port; do
            eval server=\${server$n:-}
            case $order in
                init) $user "$bin/initdb" -D "$folder/data$n" -U events -A trust -E UTF8 --locale=C --no-sync ;;
                copy) $user "$bin/pg_basebackup" -h 127.0.0.1 -p "$port" -U events -D "$folder/data$n" -R -c fast ;;
                start) $user "$bin/postgres" -D "$folder/data$n" -c listen_addresses=127.0.0.1 -c port="$port" \
                    -c unix_socket_directories= -c shared_buffers=32MB -c max_connections=20 </dev/null &
                    eval server$n=$! ;;
                fast) kill -INT $server; wait $server ;;
                crash) kill -KILL $server $(all $server); wait $server ;;
                freeze) kill -STOP $(all $server) ;;
                thaw) kill -CONT $(all $server) ;;
            esac >>"$folder/log" 2>&1
            echo "$order"
        done
        for server in ${server1:-} ${server2:-}; do
            kill -CONT $(all $server); kill -QUIT $server; wait $server
        done >>"$folder/log" 2>&1
        rm -rf "$folder"
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("events-postgres-").FullName;
    private readonly Process _shell;
    private readonly int[] _ports = [PostgresServer.FreePort(), PostgresServer.FreePort()];

    private PostgresMachine(string binaries) =>
        _shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Script, "sh", binaries, _folder])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;

    /// <summary>Started, on this machine's disk; without binaries the test that asks is skipped.</summary>
    public static async Task<PostgresMachine> Start()
    {
        if (PostgresServer.Binaries() is not { } binaries)
        {
            Assert.Skip("There are no PostgreSQL binaries on this machine.");
            throw new UnreachableException();
        }
        var machine = new PostgresMachine(binaries);
        await machine.Order("init 1");
        await machine.StartAgain();
        return machine;
    }

    public string Connection => At(_ports[0]);

    /// <summary>Whichever of the two takes writes.</summary>
    public string EitherConnection => string.Create(CultureInfo.InvariantCulture,
        $"Host=127.0.0.1:{_ports[0]},127.0.0.1:{_ports[1]};Username=events;Database=postgres");

    public Task StartAgain() => StartServer(1);

    /// <summary>Stops it as an operator does, while clients are connected.</summary>
    public Task Stop() => Order("fast 1");

    /// <summary>Kills all of its processes at once.</summary>
    public Task Crash() => Order("crash 1");

    /// <summary>Stops all of its processes but the one that takes connections.</summary>
    public Task Freeze() => Order("freeze 1");

    public Task Thaw() => Order("thaw 1");

    /// <summary>A copy that follows: nothing is committed any more before it has it too.</summary>
    public async Task AddStandby()
    {
        await Order($"copy 2 {_ports[0]}");
        await StartServer(2);
        await Execute(Connection, "ALTER SYSTEM SET synchronous_standby_names = '*'");
        await Execute(Connection, "SELECT pg_reload_conf()");
        await Until(Connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", 1);
    }

    /// <summary>The standby takes over.</summary>
    public async Task Promote()
    {
        // As copied it would wait for a standby of its own.
        await Execute(At(_ports[1]), "ALTER SYSTEM SET synchronous_standby_names = ''");
        await Execute(At(_ports[1]), "SELECT pg_reload_conf()");
        await Execute(At(_ports[1]), "SELECT pg_promote()");
    }

    public static async Task<object?> Execute(string connection, string sql)
    {
        await using var source = NpgsqlDataSource.Create(connection + ";Pooling=false");
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    public static async Task Until(string connection, string sql, long answer)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (await Execute(connection, sql) is not long found || found != answer) await Task.Delay(10, limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
    }

    private async Task StartServer(int n)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            await Order($"start {n} {_ports[n - 1]}");
            // A killed one's memory may still be in use: then this one has ended.
            for (var tries = 0; tries < 50; tries++)
            {
                try
                {
                    await Execute(At(_ports[n - 1]), "SELECT 1");
                    return;
                }
                catch (NpgsqlException) when (!limit.IsCancellationRequested)
                {
                    await Task.Delay(50, CancellationToken.None);
                }
            }
        }
    }

    private async Task Order(string order)
    {
        await _shell.StandardInput.WriteLineAsync(order);
        await _shell.StandardInput.FlushAsync();
        if (await _shell.StandardOutput.ReadLineAsync() != order.Split(' ')[0])
        {
            var log = await File.ReadAllTextAsync(Path.Combine(_folder, "log"));
            throw new InvalidOperationException($"{order}: {log}");
        }
    }

    private static string At(int port) => string.Create(CultureInfo.InvariantCulture,
        $"Host=127.0.0.1;Port={port};Username=events;Database=postgres");
}
