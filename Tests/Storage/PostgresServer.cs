using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using OrleansEvents.Storage.Postgres;
using OrleansEvents.Tests.Storage;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace OrleansEvents.Tests.Storage;

/// <summary>
/// A PostgreSQL for the tests, started by the first that asks for it from the system's binaries, in a folder of its
/// own; or the one that EVENTS_TEST_POSTGRES (a connection string) names. Every test has a schema of its own. Without
/// either the tests are skipped.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private const string Variable = "EVENTS_TEST_POSTGRES";
    private const string NoServer =
        $"There are no PostgreSQL binaries on this machine, and {Variable} names no connection.";

    // As root the server must be another user's; it refuses to run as root itself. The shell ends it with the tests,
    // however these end: then its input ends. A signal to all of them must not end the shell first.
    private const string Script = """
        set -e
        trap '' INT TERM
        user=
        mkdir "$2/data"
        if [ "$(id -u)" = 0 ]; then
            user="setpriv --reuid nobody --regid nogroup --clear-groups"
            chown nobody "$2" "$2/data"
        fi
        cd "$2"
        $user "$1/initdb" -D "$2/data" -U events -A trust -E UTF8 --locale=C --no-sync >"$2/log" 2>&1
        $user "$1/postgres" -D "$2/data" -c listen_addresses=127.0.0.1 -c port="$3" -c unix_socket_directories= \
            -c fsync=off -c shared_buffers=32MB -c max_connections=500 >>"$2/log" 2>&1 </dev/null &
        cat >/dev/null
        kill -QUIT $!
        wait $! || true
        rm -rf "$2"
        """;

    private readonly Lazy<Task<string?>> _connection;
    private Process? _shell;
    private string? _folder;
    private int _schemas;

    public PostgresServer() => (_connection, OfThisRun) = (new(Start), this);

    /// <summary>For what is made by no fixture.</summary>
    public static PostgresServer OfThisRun { get; private set; } = null!;

    /// <summary>Options for a log with a schema of its own; without a server the test that asks is skipped.</summary>
    public async Task<PostgresOptions> NewSchema()
    {
        var connection = await _connection.Value;
        if (connection is null) Assert.Skip(NoServer);
        var schema = $"test_{Environment.ProcessId}_{Interlocked.Increment(ref _schemas)}";
        return new PostgresOptions
        {
            Connection = new NpgsqlConnectionStringBuilder(connection) { SearchPath = schema, MaxPoolSize = 8 }
                .ConnectionString,
        };
    }

    /// <summary>Runs something else than the log's statements; gives the first answer.</summary>
    public static async Task<object?> Execute(PostgresOptions options, string sql)
    {
        await using var source = NpgsqlDataSource.Create(options.Connection);
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    public static async ValueTask Drop(PostgresOptions options)
    {
        var schema = new NpgsqlConnectionStringBuilder(options.Connection).SearchPath;
        await Execute(options, $"DROP SCHEMA IF EXISTS {schema} CASCADE");
    }

    public async ValueTask DisposeAsync()
    {
        if (_shell is null) return;
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
    }

    private async Task<string?> Start()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given) return given;
        if (Binaries() is not { } binaries) return null;
        // Another program may take the port while the folder is made.
        for (var tries = 3; ; tries--)
        {
            var connection = Start(binaries);
            if (await IsAnswering(connection)) return connection;
            if (tries == 1 || !await PortIsTaken())
                throw new InvalidOperationException($"PostgreSQL did not start: {await Log()}");
            await DisposeAsync();
        }
    }

    private string Start(string binaries)
    {
        _folder = Directory.CreateTempSubdirectory("events-postgres-").FullName;
        var port = FreePort();
        _shell = Process.Start(new ProcessStartInfo("/bin/sh",
            ["-c", Script, "sh", binaries, _folder, port.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
        })!;
        return $"Host=127.0.0.1;Port={port};Username=events;Database=postgres";
    }

    private async Task<bool> IsAnswering(string connection)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            if (_shell!.HasExited || limit.IsCancellationRequested || await PortIsTaken()) return false;
            try
            {
                await using var source = NpgsqlDataSource.Create(connection);
                await using var open = await source.OpenConnectionAsync(limit.Token);
                return true;
            }
            catch (NpgsqlException)
            {
                await Task.Delay(50);
            }
        }
    }

    private async Task<bool> PortIsTaken() =>
        (await Log()).Contains("Address already in use", StringComparison.Ordinal);

    private async Task<string> Log()
    {
        var path = Path.Combine(_folder!, "log");
        return File.Exists(path) ? await File.ReadAllTextAsync(path) : "no log";
    }

    /// <summary>The newest version's folder, where Debian puts them, or one in the path.</summary>
    internal static string? Binaries()
    {
        const string debian = "/usr/lib/postgresql";
        var versions = Directory.Exists(debian) ? Directory.GetDirectories(debian) : [];
        return versions.OrderByDescending(each => int.TryParse(Path.GetFileName(each), out var number) ? number : 0)
            .Select(each => Path.Combine(each, "bin"))
            .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator))
            .FirstOrDefault(each => File.Exists(Path.Combine(each, "initdb")));
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
