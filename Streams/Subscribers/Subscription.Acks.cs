namespace OrleansEvents.Streams;

public sealed partial class Subscription
{
    /// <summary>Begins what a request acknowledges; it is done when <see cref="Saved"/> is called, which is needed if
    /// anything of it is <see cref="AckResult.Acknowledged"/>. Refused with <c>INVALID_INPUT</c> for a cursor where
    /// connections compete.</summary>
    /// <param name="request">Ids or a cursor.</param>
    /// <param name="history">The stream's: an event that a cursor acknowledges is named by its own id.</param>
    public Outcome<IReadOnlyList<Acknowledged>> BeginAcknowledge(AckRequest request, StreamHistory history)
    {
        if (request.UpTo is not { } upTo)
            return Outcome.Of<IReadOnlyList<Acknowledged>>([.. request.Ids!.Select(id => new Acknowledged(id,
                Cursor.TryParse(id, out var cursor) ? BeginAcknowledge(cursor.Seq) : AckResult.Unknown))]);
        if (Policy.Mode == SubscriberMode.Compete)
            return new Refusal(ErrorCode.InvalidInput, "\"upTo\" means nothing where connections compete.");
        return Outcome.Of<IReadOnlyList<Acknowledged>>([.. BeginAcknowledgeUpTo(upTo.Seq)
            .Select(seq => new Acknowledged(history.IdOf(seq).ToString(), AckResult.Acknowledged))]);
    }

    /// <summary>Begins acknowledging one event; it is done when <see cref="Saved"/> is called.</summary>
    public AckResult BeginAcknowledge(long seq)
    {
        var index = IndexOf(seq);
        if (index < 0 || _owed[index].State == State.Done)
        {
            if (ParkedIndexOf(seq) >= 0)
            {
                _unpark.Add(seq);
                return AckResult.Acknowledged;
            }
            return index >= 0 || seq <= _through && seq > _fromSeq ? AckResult.Already : AckResult.Unknown;
        }
        Acknowledge(ref Entries[index]);
        return AckResult.Acknowledged;
    }

    /// <summary>Begins acknowledging all that was delivered up to a number, and returns it.</summary>
    public IReadOnlyList<long> BeginAcknowledgeUpTo(long seq)
    {
        var taken = new List<long>();
        for (var i = _front; i < _owed.Count && _owed[i].Seq <= seq; i++)
        {
            ref var entry = ref Entries[i];
            if (entry.State is State.Done or State.Parking || entry is { Attempt: 0, IsGoingOut: false })
                continue;
            Acknowledge(ref entry);
            taken.Add(entry.Seq);
        }
        return taken;
    }

    private void Acknowledge(ref Entry entry)
    {
        if (entry.State == State.Parking)
        {
            // What is being parked at this moment is taken out again by the next save.
            if (IsBeingParked(entry.Seq))
            {
                _unpark.Add(entry.Seq);
                return;
            }
            _parkingCount--;
        }
        if (!entry.IsToBeSaved) _acknowledging.Add(entry.Seq);
        entry.IsToBeSaved = true;
        if (entry.State == State.Acknowledging) return;
        if (entry.State == State.InFlight) Failing = null;
        entry.Before = entry.State;
        Set(ref entry, State.Acknowledging);
    }

    private bool IsBeingParked(long seq) => _saving?.Parking.Any(note => note.Seq == seq) == true;
}
