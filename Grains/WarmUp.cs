using System.Globalization;
using Microsoft.Extensions.Logging;
using Orleans.Core.Internal;
using Orleans.Runtime;
using Orleans.Runtime.Placement;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>
/// Goes all the ways of a stream with one of the server's own, before a node says that it is ready: what is done for
/// the first time takes a node hundreds of milliseconds, and streams that are handed to it then would wait for it. The
/// stream comes here from wherever it is, is published to, read, closed and opened, and goes on to another silo. All
/// nodes have the same, which holds next to nothing.
/// </summary>
/// <param name="grains">The cluster's grains.</param>
/// <param name="streams">This node's way to streams.</param>
/// <param name="silos">Where it may go.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Hears of what fails.</param>
public sealed partial class WarmUp(IGrainFactory grains, IEventStreams streams, ISiloStatusOracle silos,
    TimeProvider time, ILogger<WarmUp> logger)
{
    internal const string Name = "$warm";

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(5);

    private readonly IStreamGrain _stream = grains.GetGrain<IStreamGrain>(Name);
    private readonly string _publisher = string.Create(CultureInfo.InvariantCulture, $"{silos.SiloAddress}");
    private int _published;

    /// <summary>Ends when that is done, or cannot be done in a time: nothing but time depends on it.</summary>
    public async Task Run(TimeSpan limit)
    {
        using var end = new CancellationTokenSource(limit, time);
        try
        {
            await Go(end.Token).WaitAsync(end.Token);
        }
#pragma warning disable CA1031 // Whatever it is: a node that is slow at first is better than none.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            NotWarm(logger, failure);
        }
    }

    private async Task Go(CancellationToken cancel)
    {
        await streams.Configure(Name, """{"retention":{"count":4}}"""u8.ToArray(), cancel);
        await Publish(cancel);
        // Where it is already, it is closed and opened: a node that is alone has no other way.
        await MoveTo(silos.SiloAddress, cancel);
        await Publish(cancel);
        await _stream.Read(ReadFrom.Beginning, 10, 1 << 10).WaitAsync(cancel);
        var other = silos.GetApproximateSiloStatuses(onlyActive: true).Keys
            .FirstOrDefault(each => !each.Equals(silos.SiloAddress));
        if (other is not null) await MoveTo(other, cancel);
        await Publish(cancel);
    }

    private async Task Publish(CancellationToken cancel) => await streams.Publish(Name, new[]
    {
        new NewEvent("warm"u8.ToArray(), 1, "0"u8.ToArray(), Critical: true,
            string.Create(CultureInfo.InvariantCulture, $"{_publisher}-{++_published}")),
    }, null, cancel);

    private async Task MoveTo(SiloAddress silo, CancellationToken cancel)
    {
        var (target, moving) = (ClusterStreams.NameOf(silo), _stream.AsReference<IGrainManagementExtension>());
        if (await Where() == target)
        {
            await moving.DeactivateOnIdle().AsTask().WaitAsync(cancel);
            return;
        }
        RequestContext.Set(IPlacementDirector.PlacementHintKey, silo);
        await moving.MigrateOnIdle().AsTask().WaitAsync(cancel);
        RequestContext.Remove(IPlacementDirector.PlacementHintKey);
        // Another that starts may have called it to itself: then it is not waited for.
        for (var looks = 0; looks < 100 && await Where() != target; looks++)
            await Task.Delay(LookEvery, time, cancel);

        async Task<string?> Where() => (await streams.Describe(Name).AsTask().WaitAsync(cancel)).Value?.Node;
    }

    [LoggerMessage(EventIds.NotWarm, LogLevel.Debug, "The node has not gone all the ways of a stream beforehand")]
    private static partial void NotWarm(ILogger logger, Exception failure);
}
