namespace OrleansEvents.Streams;

/// <summary>Which request it is that publishes without keys, so that a repetition after an unknown outcome doubles
/// nothing.</summary>
/// <param name="Publisher">The random number of who passes requests on.</param>
/// <param name="No">Its number of the request.</param>
/// <param name="Again">Whether it may have been appended before.</param>
/// <param name="Ahead">Events of the requests that go ahead of it in the same call; a repetition says the same.</param>
public readonly record struct RequestMark(ulong Publisher, long No, bool Again, int Ahead = 0);

public sealed partial class EventStream
{
    /// <summary>For how long a request's mark is kept: longer than anybody repeats one.</summary>
    private static readonly TimeSpan RepeatedWithin = TimeSpan.FromSeconds(30);

    /// <summary>Marks of durable requests without keys. They have a table of their own: keys that live for a day must
    /// not keep them in memory.</summary>
    private RequestWindow _requests;

    private static Refusal Ambiguous { get; } = new(ErrorCode.StoreUnavailable,
        "The stream's owner was lost while it published: the events may be there.", TimeSpan.FromSeconds(1));

    /// <summary>What came of the same request before; null when it is to be appended. The mark stands for whole
    /// requests, whose events lie next to each other.</summary>
    private AppendResult? CheckRepeated(in RequestMark request, int count, Instant now, List<PublishedEvent>? each)
    {
        if (_requests.Find(request, now) is not { } mark) return null;
        if (mark.Pending is { } pending) return new AppendResult { AwaitFirst = pending };
        var first = mark.FirstOf(request);
        var last = first with { Seq = first.Seq + count - 1 };
        for (var seq = first.Seq; each is not null && seq <= last.Seq; seq++)
            each.Add(new(first with { Seq = seq }, Duplicate: false));
        return new AppendResult { Published = new(first, last, count, 0, Durable: true) };
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

    private void RememberRequest(in RequestMark request, Cursor first, PendingBatch pending, Instant now) =>
        _requests.Add(request, first, pending, _staged[^1].Marks, RepeatedWithin, now);
}
