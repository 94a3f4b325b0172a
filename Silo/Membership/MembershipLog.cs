using System.Net;
using Orleans.Runtime;

namespace OrleansEvents.Silo.Membership;

/// <summary>One log line for each node that comes or goes.</summary>
internal sealed partial class MembershipLog(ISiloStatusOracle silos, ILogger<MembershipLog> logger)
    : IHostedService, ISiloStatusListener
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        silos.SubscribeToSiloStatusEvents(this);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        silos.UnSubscribeFromSiloStatusEvents(this);
        return Task.CompletedTask;
    }

    public void SiloStatusChangeNotification(SiloAddress updatedSilo, SiloStatus status)
    {
        if (status is SiloStatus.Active or SiloStatus.ShuttingDown or SiloStatus.Dead)
            Changed(logger, updatedSilo.Endpoint, status);
    }

    [LoggerMessage(EventIds.MemberChanged, LogLevel.Information, "The node at {Address} is {Status}")]
    private static partial void Changed(ILogger logger, IPEndPoint address, SiloStatus status);
}
