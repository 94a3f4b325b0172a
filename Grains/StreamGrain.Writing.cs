using System.Diagnostics;
using Microsoft.Extensions.Logging;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

internal sealed partial class StreamGrain
{
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(1);
    private bool _isFenced;
    private ulong? _reopening;

    /// <summary>The append that the next commit belongs to, an <see cref="ActivityContext"/>: boxed, because most
    /// streams have none and each would have its room.</summary>
    private object? _began;

    /// <summary>The end of every turn that changed the state machine: begins what it decided.</summary>
    private void Turned()
    {
        // Deleted, while a write of no consequence was under way.
        if (_stream is not { } stream) return;
        if (stream.NextCommit() is { } commit)
        {
            var began = (ActivityContext?)_began;
            _began = null;
            _ = Commit(stream, stream.Handle, commit, began);
        }
        if (stream.BeginReserve() is { } through) _ = Reserve(stream, stream.Handle, through);
        if (!_isFenced && stream.BeginReopen() is { } at) _ = Reopen(stream, stream.Handle, at.Confirmed, at.Next);
        _owing?.Told(stream, _feed.Head);
        _taps?.See(stream.Settings);
        _feed.Wake();
        Arm();
        context.Budget.Keep();
    }

    private async Task Commit(EventStream stream, LogHandle handle, CommitWork work, ActivityContext? began)
    {
        using var span = OwnerSpans.Commit(_name, context.Node, work, began);
        var ok = await Attempt(() => context.Log.Append(handle, work.Runs, work.Keys));
        span?.SetStatus(ok ? ActivityStatusCode.Ok : ActivityStatusCode.Error);
        stream.CommitDone(work, ok, context.Now);
        Turned();
    }

    private async Task Reserve(EventStream stream, LogHandle handle, long through)
    {
        var ok = await Attempt(() => context.Log.Reserve(handle, through));
        if (!ok) await Task.Delay(RetryEvery, context.Time);
        stream.Reserved(through, ok);
        Turned();
    }

    private async Task Reopen(EventStream stream, LogHandle handle, long confirmed, long next)
    {
        // The same epoch until storage has taken it: a try that failed may have happened, and would fence the next.
        var epoch = _reopening ??= context.Epochs.Draw();
        LogHandle? opened = null;
        var ok = await Attempt(async () => opened = await context.Log.Reopen(handle, epoch, confirmed, next));
        if (ok) _reopening = null;
        else await Task.Delay(RetryEvery, context.Time);
        stream.Reopened(opened);
        Turned();
    }

    /// <summary>Storage's word on one call. Continues in the grain's turn, like all that is awaited here.</summary>
    private async Task<bool> Attempt(Func<Task> call)
    {
        try
        {
            await call();
            return true;
        }
        catch (LogUnavailableException e)
        {
            StorageFailed(logger, _name, e.Message);
        }
        catch (LogFencedException e)
        {
            Fenced(logger, _name, e.Message);
            if (!_isFenced) context.Counts.Add(ClusterCount.StreamsFenced);
            _isFenced = true;
            DeactivateOnIdle();
        }
        return false;
    }

    [LoggerMessage(EventIds.StorageFailed, LogLevel.Error, "Stream {Stream}: storage does not answer: {Reason}")]
    private static partial void StorageFailed(ILogger logger, string stream, string reason);

    [LoggerMessage(EventIds.StreamFenced, LogLevel.Critical, "Stream {Stream} has another owner: {Reason}")]
    private static partial void Fenced(ILogger logger, string stream, string reason);
}
