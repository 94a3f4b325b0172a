using Orleans.Concurrency;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Nodes;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

/// <summary>
/// Owns one subscriber in the cluster: hosts its state machine, as the embedded engine does, with the grain's turn in
/// the place of a lock, wherever its stream's owner lives.
/// <para>It is <i>absent</i> until somebody needs it, then loaded: it opens its row, which fences whoever had it
/// before, reports to the stream's owner, so that nothing is trimmed that it may be owed, and derives what it is owed.
/// From then on it is told what becomes visible (<see cref="Follow"/>); what it missed it reads from the owner. It
/// reports how far it has come on storage every few seconds, and is unloaded when nobody needs it.</para>
/// <para>Reentrant like the stream's grain: what runs between two awaits is a turn, and ends with
/// <see cref="Turned"/>.</para>
/// </summary>
[Reentrant]
[GrainType("subscriber")]
internal sealed partial class SubscriberGrain(SubscriberGrainContext context) : Grain, ISubscriberGrain, IDisposable
{
    /// <summary>A removed subscriber is not registered by reading for so long: an EventSource would do it at
    /// once.</summary>
    public static readonly TimeSpan TombstoneAge = TimeSpan.FromHours(1);

    private static readonly TimeSpan RoomWait = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _life = new(1, 1);
    private string _stream = "";
    private string _name = "";
    private IOwingStreamGrain _owner = null!;
    private Subscription? _state;
    private SubscriberHandle _handle;
    private long _lastUsedMs;

    private static Refusal Untaken =>
        new(Streams.ErrorCode.StoreUnavailable, "Storage did not take it.", TimeSpan.FromSeconds(1));

    private Refusal NoSubscriber => new(Streams.ErrorCode.NotFound, $"The stream {_stream} has no subscriber {_name}.");

    private Refusal NoStream => new(Streams.ErrorCode.NotFound, $"There is no stream {_stream}.");

    private Instant Now => context.Now;

    public async Task<Outcome<ConfiguredSubscriber>> Configure(ReadOnlyMemory<byte> json)
    {
        var (refusal, created) = (await Load(), false);
        if (refusal is { Code: Streams.ErrorCode.NotFound })
        {
            if (!context.Options.Defaults.TryApply(json, out var policy, out var bad)) return bad;
            refusal = await Register(policy, isExplicit: true);
            created = refusal is null;
        }
        if (refusal is { } refused) return refused;
        Refusal? invalid = null;
        if (_state is not { Policy: var before }) return Untaken;
        if (!created && !await Save(state =>
        {
            before = state.NextPolicy;
            if (state.NextPolicy.TryApply(json, out var changed, out var bad)) state.BeginChange(changed);
            else invalid = bad;
            return invalid is null;
        })) return invalid ?? Untaken;
        if (!created) await Refilter(before);
        if (_state is not { } state) return Untaken;
        await Report();
        await Remind();
        return new ConfiguredSubscriber(Described(state), created);
    }

    public async Task<Outcome<SubscriberDescription>> Describe()
    {
        if (await Load() is { } refused) return refused;
        // Whoever has published asks after that: a push may still be on its way.
        await CatchUp();
        return _state is { } state ? Described(state) : Untaken;
    }

    public async Task<Outcome<int>> Remove()
    {
        if (await Load() is { } refused) return refused;
        if (_state is not { } state) return Untaken;
        // Saved with its state, so that no later save of an acknowledgement brings it back.
        var ok = await Save(_ =>
        {
            state.RemovedMs ??= Now.UnixMs;
            return true;
        });
        // It has another owner, or was removed by another call.
        if (_state != state) return _isFenced ? Transient.Moving : NoSubscriber;
        if (!ok)
        {
            state.RemovedMs = null;
            return Untaken;
        }
        var pending = state.PendingCount;
        SubscriberRemoved(context.Logger, _stream, _name, pending);
        await ReportRemoved();
        if (_state != state) return pending;
        EndSessions();
        Unload();
        await Remind();
        return pending;
    }

    public async Task<Outcome<Acknowledged[]>> Acknowledge(string[]? ids, Cursor? upTo)
    {
        if (await Load() is { } unloaded) return unloaded;
        Outcome<IReadOnlyList<Acknowledged>>? begun = null;
        await CatchUpWith(ids);
        var saved = await Save(state => (begun = state.BeginAcknowledge(new AckRequest(ids, upTo), _history)).Value
            .Value?.Any(each => each.Result == AckResult.Acknowledged) ?? false);
        if (begun is not { } known) return Untaken;
        if (known is not { Refusal: null, Value: { } results }) return known.Refusal!.Value;
        // Whoever acknowledged may publish: the owner is to know that there is room.
        if (saved && _state is { Policy.Overflow: OverflowRule.Block })
            await Task.WhenAny(Report(), Task.Delay(RoomWait, context.Time));
        return !saved && results.Any(each => each.Result == AckResult.Acknowledged) ? Untaken : results.ToArray();
    }

    public async Task<Outcome<NotAcknowledged[]>> Nack(string[] ids, TimeSpan? delay, string reason,
        PushFailing? failing)
    {
        if (await Load() is { } unloaded) return unloaded;
        await CatchUpWith(ids);
        IReadOnlyList<NackResult> results = [];
        var saved = await Save(state =>
        {
            var seqs = ids.Select(id => SeqOf(id) ?? 0).ToArray();
            // Whoever names it has got it, though its node could not say so yet.
            foreach (var session in _sessions.Values) state.GoingOut(session.Slot, seqs);
            results = state.Nack(seqs, delay, reason, Now, failing);
            return results.Contains(NackResult.Parked);
        });
        if (results.Count == 0 && ids.Length > 0 || !saved && results.Contains(NackResult.Parked)) return Untaken;
        return ids.Zip(results, (id, result) => new NotAcknowledged(id, result)).ToArray();
    }

    public async Task<Outcome<int>> Replay(string[]? ids)
    {
        if (await Load() is { } unloaded) return unloaded;
        int? begun = null;
        var saved = await Save(state =>
            (begun = state.BeginReplay(ids is null ? null : [.. ids.Select(id => SeqOf(id) ?? 0)]).Count) > 0);
        return begun is not { } count || !saved && count > 0 ? Untaken : count;
    }

    public async Task<Outcome<int>> Purge()
    {
        if (await Load() is { } unloaded) return unloaded;
        var count = 0;
        var saved = await Save(state =>
        {
            count = state.BeginPurge();
            return true;
        });
        return saved ? count : Untaken;
    }

    public async Task<Outcome<bool>> DisablePush(string reason)
    {
        if (await Load() is { } unloaded) return unloaded;
        var saved = await Save(state =>
        {
            state.BeginDisable(reason);
            return true;
        });
        return saved ? true : Untaken;
    }

    public void Dispose() => _life.Dispose();

    private Cursor At(long seq) => new(_epoch, seq);

    private static long? SeqOf(string id) => Cursor.TryParse(id, out var cursor) ? cursor.Seq : null;

    /// <summary>Somebody may have got an event from the buffer of which this grain was not told yet.</summary>
    private async Task CatchUpWith(string[]? ids)
    {
        if (ids is not null && ids.Any(id => SeqOf(id) > _position)) await CatchUp();
    }

    private SubscriberDescription Described(Subscription state) => new(state.Name, state.Policy, state.IsExplicit,
        At(state.Watermark), state.PendingCount, state.ActiveCount - state.RetryCount, state.RetryCount,
        state.DeadLetterCount, state.Expired, state.Counts, _sessions.Count, state.CreatedMs,
        _sessions.Count > 0 ? Now.UnixMs : state.LastSeenMs, state.Disabled);
}
