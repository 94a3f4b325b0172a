using Orleans.Concurrency;

namespace OrleansEvents.Cluster;

/// <summary>What an activation costs that does nothing: Orleans' own part of a stream's.</summary>
[Alias("IEmptyGrain")]
internal interface IEmptyGrain : IGrainWithStringKey
{
    [Alias("Touch")]
    Task<bool> Touch();
}

[Reentrant]
[GrainType("empty")]
internal sealed class EmptyGrain : Grain, IEmptyGrain
{
    // Orleans' collection of idle grains is not to be measured.
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        DelayDeactivation(Timeout.InfiniteTimeSpan);
        return Task.CompletedTask;
    }

    public Task<bool> Touch() => Task.FromResult(true);
}
