using System.Net;
using System.Net.Sockets;
using Npgsql;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Silo.Membership;

/// <summary>
/// Declares dead whom nobody else would. Nodes watch each other, and one that joins must first reach all that live by
/// the table: when all were killed at once, nobody is left to strike them out, and those that start would wait for
/// them for minutes. So a node that joins looks itself: whoever has not said for long that it lives, and does not take
/// connections at its address either, is dead. Either alone could be a database or a network that was away for a while.
/// </summary>
internal sealed partial class ColdStart(Members members, NodeAddress own, ClusterOptions options,
    IHostApplicationLifetime lifetime, TimeProvider time, ILogger<ColdStart> logger) : BackgroundService
{
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var joining = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken,
            lifetime.ApplicationStarted);
        using var timer = new PeriodicTimer(s_every, time);
        try
        {
            do await Sweep(joining.Token);
            while (await timer.WaitForNextTickAsync(joining.Token));
        }
        catch (OperationCanceledException) when (joining.IsCancellationRequested)
        {
            // It has joined: from now on the nodes watch each other.
        }
    }

    private async Task Sweep(CancellationToken cancel)
    {
        try
        {
            var silent = await members.SilentFor(options.AliveEvery * options.MissedAlive, cancel);
            // What was at this node's own address before, Orleans strikes out itself.
            await Task.WhenAll(silent.Where(each => !each.Endpoint.Equals(new IPEndPoint(own.Advertised, own.SiloPort)))
                .Select(each => Judge(each, cancel)));
        }
        catch (NpgsqlException failure)
        {
            NotRead(logger, failure.Message);
        }
    }

    private async Task Judge(Member member, CancellationToken cancel)
    {
        if (await TakesConnections(member.Endpoint, cancel)) return;
        if (await members.Bury(member, cancel)) Buried(logger, member.Endpoint, member.Alive);
    }

    private async Task<bool> TakesConnections(IPEndPoint endpoint, CancellationToken cancel)
    {
        using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        using var limit = new CancellationTokenSource(options.ProbeEvery, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        try
        {
            await socket.ConnectAsync(endpoint, either.Token);
            return true;
        }
        catch (Exception failure) when (failure is SocketException
            || (failure is OperationCanceledException && limit.IsCancellationRequested))
        {
            return false;
        }
    }

    [LoggerMessage(EventIds.MemberBuried, LogLevel.Warning,
        "The node at {Address} is declared dead: it takes no connections and last said at {Alive:O} that it lives")]
    private static partial void Buried(ILogger logger, IPEndPoint address, DateTime alive);

    [LoggerMessage(EventIds.MembersNotRead, LogLevel.Warning, "The table of nodes could not be read: {Reason}")]
    private static partial void NotRead(ILogger logger, string reason);
}
