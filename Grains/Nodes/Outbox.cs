using System.Diagnostics;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

/// <summary>
/// What a node's publishers send to one stream. A few calls are under way to the owner at once; publishers that come
/// meanwhile wait and meet in the next, because Orleans moves so many messages a second, whatever their size.
/// <para>A call whose outcome is not known is repeated with a word that it is a repetition: the owner knows what it
/// made durable of it, and of the rest it says that it cannot know. So a repetition doubles nothing, and a mark for
/// each request is kept only where there is storage behind it anyway.</para>
/// </summary>
internal sealed class Outbox(IStreamGrain owner, NodeContext context)
{
    /// <summary>Bytes in one call, unless a request alone is larger: enough that the call itself costs little beside
    /// them.</summary>
    private const int CallBytes = 256 << 10;

    private const int CallRequests = 256;

    /// <summary>Calls that are under way although they are not full: while one is committed another comes.</summary>
    private const int CallsOfFew = 2;

    private static readonly Refusal TooMuch =
        new(Streams.ErrorCode.StoreUnavailable, "Too much waits for the stream's owner.", TimeSpan.FromSeconds(1));

    private readonly Lock _lock = new();
    private readonly Queue<Request> _waiting = [];
    private long _waitingBytes;
    private int _calls;
    private bool _isClosed;

    /// <summary>Publishes; null when the outbox is closed, and another is to be made.</summary>
    public Task<Outcome<PublishAnswer>>? Publish(ReadOnlyMemory<NewEvent> events, bool each, CancellationToken cancel)
    {
        var request = new Request(events, PackedEvents.LengthOf(events.Span), each);
        lock (_lock)
        {
            if (_isClosed) return null;
            if (_waiting.Count > 0 && _waitingBytes + request.Length > context.Options.WaitingBytes)
                return Task.FromResult<Outcome<PublishAnswer>>(TooMuch);
            _waiting.Enqueue(request);
            _waitingBytes += request.Length;
            if (!MayCall(_calls + 1)) return Await(request, cancel);
            _calls++;
        }
        _ = Send();
        return Await(request, cancel);
    }

    /// <summary>Whether so many calls may be under way: what waits is not spread over more calls than it
    /// fills.</summary>
    private bool MayCall(int calls) => calls <= context.Options.CallsUnderWay
        && (calls <= CallsOfFew || _waitingBytes >= CallBytes || _waiting.Count >= CallRequests);

    /// <summary>Whether nothing is under way; from then on nothing can be.</summary>
    public bool TryClose()
    {
        lock (_lock) return _isClosed |= _calls == 0;
    }

    private async Task<Outcome<PublishAnswer>> Await(Request request, CancellationToken cancel)
    {
        try
        {
            return await request.Answer.Task.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            // Its memory is the publisher's again: it is packed by now, or not at all.
            lock (_lock) request.IsGivenUp = true;
            throw;
        }
    }

    private async Task Send()
    {
        while (true)
        {
            // Behind those who were just answered: what they publish next is in this call.
            await Task.Yield();
            if (Take() is not var (batch, requests)) return;
            // Not that of whoever began to send.
            if (Activity.Current is not null) Activity.Current = requests[0].Span;
            try
            {
                var answers = await Call(batch);
                for (var i = 0; i < requests.Count; i++)
                    requests[i].Answered(answers is null ? Transient.Unreachable : answers[i]);
            }
#pragma warning disable CA1031 // Whatever it is, the publishers are told.
            catch (Exception e)
#pragma warning restore CA1031
            {
                foreach (var request in requests)
                    ThreadPool.UnsafeQueueUserWorkItem(_ => request.Answer.TrySetException(e), null);
            }
        }
    }

    private async Task<Outcome<PublishAnswer>[]?> Call(PublishBatch batch)
    {
        long? failedAt = null;
        for (var failures = 0; ; failures++)
        {
            try
            {
                var answers = await owner.PublishAll(batch);
                // A call that failed before may still be read from somewhere.
                if (failedAt is null) batch.Events.Release();
                return answers;
            }
#pragma warning disable CA1031 // Of any type: see Transient.
            catch (Exception e)
#pragma warning restore CA1031
            {
                if (context.GivesUp(ref failedAt, e)) return null;
                if (!Transient.WasNotDelivered(e)) batch = batch with { Again = true };
            }
            await context.Pause(failures);
        }
    }

    /// <summary>What goes with the next call; null, and one call less is under way, when nothing waits.</summary>
    private (PublishBatch Batch, List<Request> Requests)? Take()
    {
        lock (_lock)
        {
            var (requests, length) = (new List<Request>(), 0);
            while (MayCall(_calls) && requests.Count < CallRequests && _waiting.TryPeek(out var next))
            {
                if (length > 0 && length + next.Length > CallBytes) break;
                _waitingBytes -= _waiting.Dequeue().Length;
                if (next.IsGivenUp) continue;
                requests.Add(next);
                length += next.Length;
            }
            if (requests.Count == 0)
            {
                _calls--;
                return null;
            }
            return (new PublishBatch(PackedEvents.Of(requests.ConvertAll(each => each.Events), length),
                [.. requests.Select(each => each.Each ? -each.Events.Length : each.Events.Length)],
                context.Requests.Node, context.Requests.Take(requests.Count), Again: false,
                requests.Exists(each => each.Span is not null) ? [.. requests.Select(each => each.Span?.Id)] : null),
                requests);
        }
    }

    private sealed class Request(ReadOnlyMemory<NewEvent> events, int length, bool each)
    {
        public ReadOnlyMemory<NewEvent> Events { get; } = events;

        public int Length { get; } = length;

        public bool Each { get; } = each;

        /// <summary>Its publisher's span.</summary>
        public Activity? Span { get; } = OwnerSpans.OfPublisher();

        /// <summary>Whether nobody waits for it any more.</summary>
        public bool IsGivenUp { get; set; }

        /// <summary>Whoever completes it does so in a work item of its own.</summary>
        public TaskCompletionSource<Outcome<PublishAnswer>> Answer { get; } = new();

        /// <summary>Answers in a work item of its own, one behind the other: the thread's own queue would turn their
        /// order around, and let who sends next go before them.</summary>
        public void Answered(Outcome<PublishAnswer> outcome) => ThreadPool.UnsafeQueueUserWorkItem(
            static each => each.Request.Answer.TrySetResult(each.Outcome), (Request: this, Outcome: outcome),
            preferLocal: false);
    }
}
