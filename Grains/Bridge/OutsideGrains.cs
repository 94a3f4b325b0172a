namespace OrleansEvents.Grains.Bridge;

/// <summary>Leaves the turn of the grain or agent that calls: what a node does for all must not live on the scheduler
/// of one, and Orleans lets nobody listen from there.</summary>
internal static class OutsideGrains
{
    public static async Task<T> Call<T>(Func<ValueTask<T>> call)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return await call().ConfigureAwait(false);
    }
}
