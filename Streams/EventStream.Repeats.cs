namespace OrleansEvents.Streams;

/// <summary>Which request it is that publishes without keys, so that a repetition after an unknown outcome doubles
/// nothing.</summary>
/// <param name="Publisher">The random number of who passes requests on.</param>
/// <param name="No">Its number of the request.</param>
/// <param name="Again">Whether it may have been appended before.</param>
public readonly record struct RequestMark(ulong Publisher, long No, bool Again)
{
    internal string Key => $"\u0001{Publisher:x}-{No:x}";
}

public sealed partial class EventStream
{
    /// <summary>For how long a request's mark is kept: longer than anybody repeats one.</summary>
    private static readonly TimeSpan RepeatedWithin = TimeSpan.FromSeconds(30);

    /// <summary>Marks of durable requests without keys. They have a table of their own: keys that live for a day must
    /// not keep them in memory.</summary>
    private readonly KeyWindow _requests = new();

    private static Refusal Ambiguous { get; } = new(ErrorCode.StoreUnavailable,
        "The stream's owner was lost while it published: the events may be there.", TimeSpan.FromSeconds(1));

    /// <summary>What came of the same request before; null when it is to be appended. The mark stands for the whole
    /// request, whose events lie next to each other.</summary>
    private AppendResult? CheckRepeated(in RequestMark request, int count, Instant now, List<PublishedEvent>? each)
    {
        if (_requests.Find(request.Key, now) is not { } first) return null;
        if (first.Pending is { } pending) return new AppendResult { AwaitFirst = pending };
        var last = first.Id with { Seq = first.Id.Seq + count - 1 };
        for (var seq = first.Id.Seq; each is not null && seq <= last.Seq; seq++)
            each.Add(new(first.Id with { Seq = seq }, Duplicate: false));
        return new AppendResult { Published = new(first.Id, last, count, 0, Durable: true) };
    }

    /// <summary>Whether a repetition can be told from the first: every event has a key, or the request's mark is
    /// durable with its events. What is in memory only is not worth the memory of a mark for each request: its
    /// publisher is told that the outcome is not known.</summary>
    private static bool IsRepeatable(ReadOnlySpan<NewEvent> events, bool durable)
    {
        var keyed = 0;
        foreach (ref readonly var @event in events) keyed += @event.Key is null ? 0 : 1;
        return keyed == events.Length || (durable && keyed == 0);
    }

    private AppendResult? RefuseRequest(in RequestMark request, ReadOnlySpan<NewEvent> events, bool durable) =>
        request.Again && !IsRepeatable(events, durable) ? new AppendResult { Refusal = Ambiguous }
        : durable && _requests.Count >= _limits.Keys ? AppendResult.Refused(ErrorCode.RateLimited,
            $"The stream remembers {_limits.Keys} requests, its most.", TimeSpan.FromSeconds(1))
        : null;

    private void RememberRequest(in RequestMark request, Cursor first, PendingBatch pending, Instant now)
    {
        var window = (long)RepeatedWithin.TotalMilliseconds;
        var entry = new KeyWindow.Entry(default, first, now.Ms + window, Durable: true) { Pending = pending };
        _requests.Add(request.Key, entry);
        pending.Entries.Add((request.Key, entry));
        pending.Keys.Add(new LogKey(request.Key, default, first.Epoch, first.Seq, now.UnixMs + window));
    }

    // A mark stands for no content; no content has that hash.
    private KeyWindow WindowOf(UInt128 hash) => hash == default ? _requests : _keys;
}
