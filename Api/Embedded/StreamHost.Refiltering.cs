using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    /// <summary>What becomes visible is told as a policy needs it, from before it has effect.</summary>
    private void Show_UnderLock(SubscriberPolicy policy)
    {
        _stream!.Shown ??= [];
        _stream.ShowsOrdinary |= policy.OwesAll;
        _stream.ShowsTypes |= policy.Types.Count > 0;
    }

    /// <summary>A policy has changed: what it leaves out is owed no more, and readers come back to a new
    /// filter.</summary>
    private async Task Refilter(SubscriberEntry entry, SubscriberPolicy before)
    {
        var hasNewTypes = !entry.State.Policy.Types.SequenceEqual(before.Types);
        if (!hasNewTypes && entry.State.Policy.OwesAll == before.OwesAll) return;
        OwedMark[] owed = [];
        await Attempt(async () => owed = await context.Log.ReadOwed(_stream!.Handle.Id, 0, IsDurable, types: true));
        List<SubscriberSession>? ended = null;
        Turn((stream, now) =>
        {
            entry.State.Refilter(ShownOf(stream, owed), Feed.Head, before.OwesAll);
            if (hasNewTypes) EndSessions_UnderLock(entry, ref ended);
            Touch_UnderLock(entry);
        });
        new Followed(ended, null).Tell(this);
    }
}
