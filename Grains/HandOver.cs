using Orleans.Runtime;

namespace OrleansEvents.Grains;

/// <summary>Moves a silo's streams to the others while it is still a member: stream by stream, so that none is without
/// an owner for longer than its own closing and opening take. What Orleans does when a silo stops is to close all of
/// them first.</summary>
/// <param name="owned">The silo's streams.</param>
/// <param name="silos">Where they may go.</param>
/// <param name="time">The clock.</param>
public sealed class HandOver(OwnedStreams owned, ISiloStatusOracle silos, TimeProvider time)
{
    /// <summary>So many at once at least: they meet in one commit.</summary>
    private const int Least = 16;

    private const int Groups = 100;

    /// <summary>For so long the next do not wait for one that cannot go yet.</summary>
    private static readonly TimeSpan GroupWait = TimeSpan.FromSeconds(1);

    /// <summary>Moves all that are open now, as far as that can be done in a time; with no other silo there is nothing
    /// to do.</summary>
    public async Task Run(TimeSpan limit)
    {
        // The idlest first: a node that has never taken a stream takes longer for its first.
        var (begun, all, next) = (time.GetTimestamp(), owned.Open().OrderBy(each => each.LastActivityMs).ToArray(), 0);
        for (var passed = 0; passed < all.Length;)
        {
            var targets = silos.GetApproximateSiloStatuses(onlyActive: true).Keys
                .Where(each => !each.Equals(silos.SiloAddress)).ToArray();
            if (targets.Length == 0 || time.GetElapsedTime(begun) > limit) return;
            var size = passed == 0 ? targets.Length : Math.Max(Least, all.Length / Groups);
            var group = all.Skip(passed).Take(size).ToArray();
            passed += size;
            await Task.WhenAll(group.Select(each => each.MoveTo(targets[next++ % targets.Length])))
                .WaitAsync(GroupWait, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
