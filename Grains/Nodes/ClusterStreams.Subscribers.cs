using Orleans.Serialization.TypeSystem;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Nodes;

public sealed partial class ClusterStreams
{
    private const int PageBytes = 1 << 20;

    private readonly Lazy<ClusterSessions> _sessions;

    /// <inheritdoc/>
    public Action<string, string>? PushWanted
    {
        get => _context.Subscribers?.PushWanted;
        set
        {
            if (_context.Subscribers is { } here) here.PushWanted = value;
        }
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<ISubscriberSession?>> Subscribe(string stream, string subscriber, SessionKind kind) =>
        Called(() => _sessions.Value.Begin(stream, subscriber, kind, Grain(stream, subscriber),
            _replicas.TryGetValue(stream, out var read) ? read.Feed.Head : 0));

    /// <inheritdoc/>
    public ValueTask<Outcome<ConfiguredSubscriber>> ConfigureSubscriber(string stream, string subscriber,
        ReadOnlyMemory<byte> json, CancellationToken cancel)
    {
        // It belongs to the request, which may be over before the grain has read it.
        ReadOnlyMemory<byte> copy = json.ToArray();
        return Called(() => Grain(stream, subscriber).Configure(copy), cancel);
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<SubscriberDescription>>> Subscribers(string stream)
    {
        var names = await Called(() => _context.Grains.GetGrain<IOwingStreamGrain>(stream).SubscriberNames());
        if (names.Refusal is { } refused) return refused;
        var described = await Task.WhenAll(names.Value!.Select(name => DescribeSubscriber(stream, name).AsTask()));
        var failed = described.FirstOrDefault(each => each.Refusal is { Code: not Streams.ErrorCode.NotFound });
        if (failed.Refusal is { } why) return why;
        return Outcome.Of<IReadOnlyList<SubscriberDescription>>(
            [.. described.Where(each => each.Refusal is null).Select(each => each.Value!)]);
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<SubscriberDescription>> DescribeSubscriber(string stream, string subscriber) =>
        Called(() => Grain(stream, subscriber).Describe());

    /// <inheritdoc/>
    public async ValueTask<Outcome<int>> RemoveSubscriber(string stream, string subscriber, CancellationToken cancel)
    {
        var tries = 0;
        var removed = await Called(() =>
        {
            tries++;
            return Grain(stream, subscriber).Remove();
        }, cancel);
        // What a try did whose answer was lost.
        return tries > 1 && removed.Refusal is { Code: Streams.ErrorCode.NotFound } ? 0 : removed;
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<Acknowledged>>> Acknowledge(string stream, string subscriber,
        AckRequest request, CancellationToken cancel)
    {
        // Only what was delivered is acknowledged by a cursor: the grain must know what was.
        if (request.UpTo is not null) await FlushSessions(stream, subscriber);
        var ids = request.Ids?.ToArray();
        var done = await Called(() => Grain(stream, subscriber).Acknowledge(ids, request.UpTo), cancel);
        return done.Refusal is { } refused ? refused : Outcome.Of<IReadOnlyList<Acknowledged>>(done.Value!);
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<NotAcknowledged>>> Nack(string stream, string subscriber,
        NackRequest request, CancellationToken cancel)
    {
        await FlushSessions(stream, subscriber);
        string[] ids = [.. request.Ids];
        var done = await Called(() => Grain(stream, subscriber).Nack(ids, request.Delay, request.Reason,
            request.Failing), cancel);
        return done.Refusal is { } refused ? refused : Outcome.Of<IReadOnlyList<NotAcknowledged>>(done.Value!);
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<SubscriberPage>> Pending(string stream, string subscriber, long after, int limit) =>
        PageOf(await Called(() => Grain(stream, subscriber).Pending(after, limit, PageBytes)));

    /// <inheritdoc/>
    public async ValueTask<Outcome<SubscriberPage>> DeadLetters(string stream, string subscriber, long after,
        int limit) => PageOf(await Called(() => Grain(stream, subscriber).DeadLetters(after, limit, PageBytes)));

    /// <inheritdoc/>
    public ValueTask<Outcome<int>> ReplayDeadLetters(string stream, string subscriber, IReadOnlyList<string>? ids,
        CancellationToken cancel)
    {
        var named = ids?.ToArray();
        return Called(() => Grain(stream, subscriber).Replay(named), cancel);
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<int>> PurgeDeadLetters(string stream, string subscriber, CancellationToken cancel) =>
        Called(() => Grain(stream, subscriber).Purge(), cancel);

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<OpenSubscriber>>> OpenSubscribers()
    {
        // It asks every silo, and one that has just died does not answer.
        var active = await _context.Ask<DetailedGrainStatistic[]>(async () => await _context.Grains
            .GetGrain<IManagementGrain>(0)
            .GetDetailedGrainStatistics([RuntimeTypeNameFormatter.Format(typeof(SubscriberGrain))]));
        if (active.Refusal is { } refusal) return refusal;
        var described = await Task.WhenAll(active.Value!.Select(each => each.GrainId.Key.ToString()!.Split('/'))
            .Select(async key => (Stream: key[0], Outcome: await DescribeSubscriber(key[0], key[1]))));
        return described.Where(each => each.Outcome.Refusal is null)
            .Select(each => new OpenSubscriber(each.Stream, each.Outcome.Value!))
            .OrderBy(each => each.Stream, StringComparer.Ordinal)
            .ThenBy(each => each.Subscriber.Name, StringComparer.Ordinal).ToArray();
    }

    /// <inheritdoc/>
    public ValueTask<Outcome<bool>> DisablePush(string stream, string subscriber, string reason) =>
        Called(() => Grain(stream, subscriber).DisablePush(reason));

    /// <summary>Opens the streams that have something to push, when a node has started: should all have stopped, nobody
    /// else does before the subscribers' reminders.</summary>
    public async Task Wake()
    {
        try
        {
            foreach (var stream in await _context.Log.StreamsToWake()) await Describe(stream);
        }
        catch (LogUnavailableException)
        {
            // Their reminders come.
        }
    }

    private ISubscriberGrain Grain(string stream, string subscriber) =>
        _context.Grains.GetGrain<ISubscriberGrain>($"{stream}/{subscriber}");

    private Task FlushSessions(string stream, string subscriber) =>
        _sessions.IsValueCreated ? _sessions.Value.Flush(stream, subscriber) : Task.CompletedTask;

    private static Outcome<SubscriberPage> PageOf(Outcome<PackedPage> page) =>
        page is { Refusal: null, Value: { } value }
            ? new SubscriberPage(value.Events.Above(long.MinValue), value.Details, value.Cursor, value.More,
                value.Expired)
            : page.Refusal!.Value;

    /// <summary>Calls a subscriber, again while nobody answers, for as long as it takes to miss a dead node.</summary>
    private async ValueTask<Outcome<T>> Called<T>(Func<Task<Outcome<T>>> call, CancellationToken cancel = default)
    {
        var giveUpMs = _context.Now.Ms + (long)_context.Options.RetryFor.TotalMilliseconds;
        while (true)
        {
            try
            {
                var answer = await call();
                if (answer.Refusal != Transient.Moving || _context.Now.Ms >= giveUpMs) return answer;
            }
#pragma warning disable CA1031 // It is moving, or its silo dying: all calls can be made twice.
            catch (Exception) when (!cancel.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (_context.Now.Ms >= giveUpMs)
                    return new Refusal(Streams.ErrorCode.StoreUnavailable, "The subscriber's owner does not answer.",
                        TimeSpan.FromSeconds(1));
            }
            await Task.Delay(_context.Options.RetryEvery, _context.Time, cancel);
        }
    }
}
