using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

internal sealed partial class StreamGrain
{
    public async Task<Outcome<PublishAnswer>> Publish(PackedEvents events, bool each)
    {
        var unpacked = events.Unpack();
        if (await EnsureOpen(create: true) is { } closed) return closed;
        context.Counts.Add(ClusterCount.PublishedHere);
        var answer = Append(unpacked, each, null, null);
        Turned();
        return await answer;
    }

    public async Task<Outcome<PublishAnswer>[]> PublishAll(PublishBatch batch)
    {
        var unpacked = batch.Events.Unpack();
        var answers = new Task<Outcome<PublishAnswer>>[batch.Counts.Length];
        if (await EnsureOpen(create: true) is { } closed)
        {
            Array.Fill(answers, Task.FromResult<Outcome<PublishAnswer>>(closed));
            return await Task.WhenAll(answers);
        }
        context.Counts.Add(batch.Publisher == context.Publisher
            ? ClusterCount.PublishedHere : ClusterCount.PublishedElsewhere, answers.Length);
        // All in one turn, so that they meet in one commit and one push.
        var from = 0;
        for (var i = 0; i < answers.Length; i++)
        {
            var count = Math.Abs(batch.Counts[i]);
            answers[i] = Append(unpacked.AsMemory(from, count), batch.Counts[i] < 0,
                new RequestMark(batch.Publisher, batch.FirstNo + i, batch.Again, from), batch.Traces?[i]);
            from += count;
        }
        Turned();
        try
        {
            return await Task.WhenAll(answers);
        }
        finally
        {
            batch.Events.ReleaseRead();
        }
    }

    /// <summary>Appends in the turn of its caller, who performs what that decided, and waits for the outcome.</summary>
    private async Task<Outcome<PublishAnswer>> Append(ReadOnlyMemory<NewEvent> events, bool each, RequestMark? request,
        string? trace)
    {
        var span = OwnerSpans.Append(_name, context.Node, trace);
        for (var isFirst = true; ; isFirst = false)
        {
            List<PublishedEvent>? entries = each ? [] : null;
            _stream!.BacklogRoom = _owing?.Room(_stream.Settings.Backlog, context.Now) ?? int.MaxValue;
            var result = _stream!.Append(events.Span, context.Now, entries, request);
            if (!isFirst) Turned();
            if (result.Pending is not null) _began ??= span?.Context;
            span?.Dispose();
            if (result.Refusal is { } refused) return refused;
            if (result.AwaitFirst is { } first)
            {
                await first.Outcome;
                if (await EnsureOpen(create: true) is { } closed) return closed;
                continue;
            }
            if (result.Pending is { } pending && !await pending.Outcome) return StoreUnavailable;
            return new PublishAnswer(result.Published, entries?.ToArray());
        }
    }
}
