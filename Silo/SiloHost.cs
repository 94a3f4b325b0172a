using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Npgsql;
using Orleans.Runtime;
using OrleansEvents.Api;
using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Silo;

/// <summary>The program of a cluster's node: the Api with the cluster behind it.</summary>
internal static class SiloHost
{
    private const string Help =
        """
        Usage: dotnet run --project Silo -- --postgres CONNECTION [options]

          --postgres CONNECTION      the cluster's database: Host=…;Database=…;Username=…;Password=…
          --urls U                   addresses to listen on, separated by ;   (http://127.0.0.1:5080)
          --silo-port P              port for the other nodes                 (11111)
          --gateway-port P           port for edges                           (30000)
          --advertise ADDRESS        where the other nodes reach this one; auto: the machine's own   (127.0.0.1)
          --cluster-id NAME          nodes with the same name and database are one cluster           (events)
          --role node|edge           edge: owns no streams, only serves HTTP  (node)
          --Section:Setting value    any setting, for example --Streams:Buffer 1000 (docs/limits.md lists them)
          --help, --version

        The same settings are read from appsettings.json and from the environment (OrleansEvents__Section__Setting).
        Exit code: 0 after a graceful stop, 2 for a refused start, 3 when the others have declared this node dead.
        """;

    public static ApiEngine Engine { get; } = new(Help, SiloParts.AddTo)
    {
        ShortOptions = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["silo-port"] = "Cluster:SiloPort",
            ["gateway-port"] = "Cluster:GatewayPort",
            ["advertise"] = "Cluster:Advertise",
            ["cluster-id"] = "Cluster:Id",
            ["role"] = "Cluster:Role",
        },
        Defaults = DefaultsOfNodes(),
        Refuse = Refuse,
    };

    private static SettingsSource DefaultsOfNodes()
    {
        var defaults = new SettingsSource();
        Set("Storage:Store", "postgres");
        // When a node is lost Orleans tells of each call that fails, with its stack: whose doing it is, is said once.
        // So it is when storage does not answer.
        Set("Logging:LogLevel:Orleans", "Error");
        // So are calls to grains of nodes that go, the last one's own among them.
        Set("Logging:LogLevel:Orleans.Messaging", "Critical");
        Set("Logging:LogLevel:Orleans.Runtime.GrainDirectory", "Critical");
        Set("Logging:LogLevel:Orleans.Runtime.ReminderService", "Critical");
        Set("Logging:LogLevel:Orleans.Runtime.MembershipService.MembershipTableManager", "Critical");
        return defaults;

        void Set(string path, string text) => defaults.Add(path, text, path);
    }

    private static StartRefusedException? Refuse(Exception failure, ServerOptions options)
    {
        for (Exception? cause = failure; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case StartRefusedException:
                    return null;
                // The web server says which address itself.
                case AddressInUseException when failure is IOException:
                    return null;
                case AddressInUseException or SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse }:
                    return new("--silo-port, --gateway-port: in use by another process", failure);
                case Orleans.Runtime.MembershipService.OrleansClusterConnectivityCheckFailedException:
                    return new($"--advertise: {options.Cluster.Advertise} does not reach the cluster: {cause.Message}",
                        failure);
                case LogRefusedException or LogUnavailableException or NpgsqlException:
                    return new($"--postgres: {cause.Message}", failure);
                case OrleansException when options.Cluster.Role == ClusterRole.Edge:
                    return new($"--role edge: no node of cluster {options.Cluster.Id} takes connections: "
                        + cause.Message, failure);
            }
        }
        return null;
    }
}
