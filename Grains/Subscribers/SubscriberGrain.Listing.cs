using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using Orleans.Runtime;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Subscribers;

internal sealed partial class SubscriberGrain : IRemindable
{
    private const string PushReminder = "push";

    public async Task<Outcome<PackedPage>> Pending(long after, int limit, int maxBytes)
    {
        if (await Load() is { } unloaded) return unloaded;
        await CatchUp();
        if (_state is not { } state) return Untaken;
        var owed = state.Pending(after, Now).Take(limit + 1).ToList();
        try
        {
            using var run = await ReadEvents(state, [.. owed.Take(limit).Select(each => each.Seq)], maxBytes);
            var details = owed.ToDictionary(each => each.Seq);
            var shown = new List<PendingEvent>();
            foreach (ref readonly var slot in run.Slots) shown.Add(details[slot.Seq]);
            return new PackedPage(PackedRun.Of(run), [.. shown], At(run.Count > 0 ? run.Last : after),
                owed.Count > run.Count, null);
        }
        catch (LogUnavailableException)
        {
            return Untaken;
        }
    }

    public async Task<Outcome<PackedPage>> DeadLetters(long after, int limit, int maxBytes)
    {
        if (await Load() is { } unloaded) return unloaded;
        if (_state is not { } state) return Untaken;
        using var run = new EventRun();
        var details = new List<PendingEvent>();
        var (position, more) = (after, true);
        while (more && run.Count < limit && run.Frames.Length < maxBytes)
        {
            ParkedPage? page = null;
            if (!await Attempt(async () => page = await context.Log.ReadParked(_handle.Stream, _name, position,
                limit - run.Count, maxBytes))) return Untaken;
            using var events = page!.Events;
            if (!(more = events.Count > 0)) break;
            position = events.Last;
            state.TakeDeadLetters(page, run, details);
        }
        return new PackedPage(PackedRun.Of(run), [.. details], At(position),
            more && state.HasDeadLetterAfter(position), state.Expired);
    }

    /// <summary>Brings it back after its silo has died: while it has a webhook it is to be active.</summary>
    public async Task ReceiveReminder(string reminderName, TickStatus status)
    {
        if (await Load() is { Code: Streams.ErrorCode.NotFound } || _state is { Policy.Webhook: null }) await Remind();
    }

    private async Task Remind()
    {
        try
        {
            if (_state is { Policy.Webhook: not null })
            {
                await this.RegisterOrUpdateReminder(PushReminder, context.Options.RemindEvery,
                    context.Options.RemindEvery);
                return;
            }
            if (await this.GetReminder(PushReminder) is { } reminder) await this.UnregisterReminder(reminder);
        }
#pragma warning disable CA1031 // Without it the stream's owner brings it back, when the stream is opened.
        catch (Exception e)
#pragma warning restore CA1031
        {
            NotReminded(context.Logger, _stream, _name, e.Message);
        }
    }

    [LoggerMessage(EventIds.NotReminded, LogLevel.Warning,
        "Stream {Stream}: no reminder can be set for subscriber {Subscriber}: {Reason}")]
    private static partial void NotReminded(ILogger logger, string stream, string subscriber, string reason);
}
