namespace OrleansEvents.Streams;

public sealed partial class Subscription
{
    /// <summary>Ordinary events up to here were not owed, whatever the policy says now.</summary>
    private long _ordinaryFrom;

    /// <summary>
    /// The policy asks for other events than before. What it leaves out is owed no more; what it asks for newly is owed
    /// from here on: whether what came before was acknowledged is not known any more.
    /// </summary>
    /// <param name="stored">What is stored, with types.</param>
    /// <param name="head">The stream's head.</param>
    /// <param name="owedAll">Whether ordinary events were owed before.</param>
    public void Refilter(IEnumerable<ShownEvent> stored, long head, bool owedAll)
    {
        var unwanted = stored.Where(shown => !Wants(shown)).Select(shown => shown.Seq).ToHashSet();
        var entries = Entries;
        for (var i = _front; i < entries.Length; i++)
        {
            ref var entry = ref entries[i];
            entry.FollowsDone = true;
            var isLeft = unwanted.Contains(entry.Seq) || entry.IsVolatile && !Policy.OwesAll;
            // Of a dead letter that is owed again an operator has asked for it.
            if (isLeft && !entry.IsReplayed && (entry.IsActive || entry.State == State.Waiting))
                Set(ref entry, State.Done, 0);
        }
        _through = Math.Max(_through, head);
        _plainAfter = Math.Max(_plainAfter, head);
        if (Policy.OwesAll && !owedAll) (_ordinaryFrom, _abandonedThrough) = (head, head);
        IsUnsaved = true;
        Sweep();
        Dispatch();
    }

    private bool IsOrdinaryOwed(long seq) => Policy.OwesAll && seq > _ordinaryFrom;
}
