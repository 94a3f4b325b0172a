using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

internal sealed partial class SubscriberGrain
{
    private StreamHistory _history = StreamHistory.None;
    private ulong _epoch;
    private long _position;
    private bool _isFollowing;
    private long _reportAtMs;
    private long _reports;
    private long _durableSince = long.MaxValue;
    private Task<bool>? _catchingUp;

    public async Task Follow(OwedPush push)
    {
        // Not loaded: what it is owed is derived when somebody needs it.
        if (_state is null) return;
        if (push.Stream != _handle.Stream) await Report();
        else if (push.Head <= _position) return;
        else if (!Take(push)) await CatchUp();
    }

    public async Task Lapse(long through)
    {
        if (await Load() is not null || !await CatchUpTo(through) || _state is not { } state) return;
        if (through > 0)
        {
            state.Lapse(through, Now);
            Turned();
            // What is parked is not owed any more when that is on storage.
            while (_state is { IsParking: true } && await Save(static _ => true))
            {
            }
        }
        await Report();
    }

    public Task Orphan(long stream)
    {
        // Readers hear of it on the line.
        if (_state is not null && _handle.Stream == stream) Unload();
        return Task.CompletedTask;
    }

    /// <summary>False: something before it was missed.</summary>
    private bool Take(OwedPush push)
    {
        if (_state is null || push.Epoch != _epoch || push.Previous > _position) return false;
        Owe(push.Marks.Unpack(), push.Head);
        Turned();
        return true;
    }

    private void Owe(List<ShownEvent> marks, long head)
    {
        var now = Now;
        // What is at or below the position was told, and may be done by now.
        foreach (var mark in marks)
            if (mark.Seq > _position) _state!.Owe(mark, now);
        _position = Math.Max(_position, head);
    }

    private async Task<bool> CatchUpTo(long seq) => seq <= _position || await CatchUp();

    /// <summary>Reads from the owner what was missed; false when it does not answer. One reading for all who wait, but
    /// one that was begun before may have passed by what they wait for.</summary>
    private async Task<bool> CatchUp()
    {
        if (_catchingUp is { IsCompleted: false } before) await before;
        if (_catchingUp is null or { IsCompleted: true }) _catchingUp = ReadOn();
        return await _catchingUp;
    }

    private async Task<bool> ReadOn()
    {
        if (_state is not { } state) return false;
        var from = _position;
        // A push may be taken meanwhile: what is below its head then is left out.
        var head = await ReadOwed(from, state, marks =>
        {
            if (_state == state) Owe(marks, marks.Count > 0 ? marks[^1].Seq : 0);
        });
        if (head is not { } reached || _state != state) return false;
        _position = Math.Max(_position, reached.Seq);
        _epoch = reached.Epoch;
        Turned();
        return true;
    }

    /// <summary>What can be owed behind a number, page by page; the head, or null without the owner's answer.</summary>
    private async Task<Cursor?> ReadOwed(long after, Subscription about, Action<List<ShownEvent>> take)
    {
        while (true)
        {
            var read = await Ask(() => _owner.ReadOwed(after, about.Policy.OwesAll, about.WantsTypes));
            if (read.Refusal is not null) return null;
            var page = read.Value!;
            _history = page.History;
            _durableSince = page.History.DurableSince ?? long.MaxValue;
            var marks = page.Marks.Unpack();
            take(marks);
            if (!page.More) return page.Head;
            after = marks[^1].Seq;
        }
    }

    /// <summary>Tells the owner how far this has come on storage, and learns what it has missed.</summary>
    private async Task Report()
    {
        if (_state is not { } state) return;
        _reportAtMs = Now.Ms + (long)context.Options.ReportEvery.TotalMilliseconds;
        var answer = await Tell(ReportOf(state), create: false);
        if (_state != state || !_isFollowing) return;
        if (answer.Refusal is { Code: Streams.ErrorCode.NotFound }
            || answer.Value is { } of && of.Stream != _handle.Stream)
        {
            // The stream was deleted, and this with it.
            EndSessions();
            Unload();
            return;
        }
        if (answer.Value is not { } told) return;
        _durableSince = told.DurableSince ?? long.MaxValue;
        if (told.Missed is { } missed ? !Take(missed) : told.Head.Seq > _position || told.Head.Epoch != _epoch)
            await CatchUp();
    }

    private SubscriberReport ReportOf(Subscription state) => new(_handle.Epoch, _isFollowing, false, _position,
        state.DoneThrough(_position), state.PendingCount,
        state.Policy.Overflow == OverflowRule.Block ? state.Policy.MaxPending : null, state.Policy.OwesAll,
        state.WantsTypes, state.IsPushed, ++_reports);

    /// <summary>What is said of it while it does not know what it is owed.</summary>
    private SubscriberReport ReportOf(SubscriberHandle handle, SubscriberPolicy policy, bool isPushed) => new(
        handle.Epoch, handle.Epoch > 0, false, 0, handle.Epoch > 0 ? null : 0, 0, null, policy.OwesAll,
        policy.Types.Count > 0, isPushed, ++_reports);

    private Task<Outcome<ReportAnswer>> ReportRemoved() => Tell(new SubscriberReport(_handle.Epoch, false, true, 0,
        null, 0, null, false, false, false, ++_reports), create: false);

    private Task<Outcome<ReportAnswer>> Tell(SubscriberReport report, bool create) =>
        Ask(() => _owner.Report(_name, report, create));

    private async Task Forget(SubscriberHandle handle)
    {
        await Ask(async () =>
        {
            await _owner.Forget(_name, handle.Epoch);
            return Outcome.Of(true);
        });
    }

    private async Task<Outcome<T>> Ask<T>(Func<Task<Outcome<T>>> call)
    {
        try
        {
            return await call();
        }
#pragma warning disable CA1031 // The owner is moving, or its silo dying: it is asked again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            OwnerSilent(context.Logger, _stream, _name, e.Message);
            return new Refusal(Streams.ErrorCode.StoreUnavailable, "The stream's owner does not answer.",
                TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>A policy has changed: what it leaves out is owed no more, and readers come back to a new
    /// filter.</summary>
    private async Task Refilter(SubscriberPolicy before)
    {
        if (_state is not { } state) return;
        var hasNewTypes = !state.Policy.Types.SequenceEqual(before.Types);
        if (!hasNewTypes && state.Policy.OwesAll == before.OwesAll) return;
        // The owner tells what the new policy needs from its next report on.
        await Report();
        var stored = new List<ShownEvent>();
        OwedMark[] owed = [];
        var isDurable = _durableSince < long.MaxValue;
        await Attempt(async () => owed = await context.Log.ReadOwed(_handle.Stream, 0, isDurable, types: true));
        if (_state != state) return;
        stored.AddRange(owed.Where(mark => mark.Seq <= _position)
            .Select(mark => new ShownEvent(mark.Seq, 0, mark.Critical, Durable: true, mark.Type)));
        state.Refilter(stored, _position, before.OwesAll);
        if (hasNewTypes) EndSessions();
        Turned();
    }

    [LoggerMessage(EventIds.OwnerSilent, LogLevel.Debug,
        "Stream {Stream}: its owner does not answer subscriber {Subscriber}: {Reason}")]
    private static partial void OwnerSilent(ILogger logger, string stream, string subscriber, string reason);
}
