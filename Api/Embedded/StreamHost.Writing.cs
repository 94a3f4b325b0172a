using System.Diagnostics;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

internal sealed partial class StreamHost
{
    /// <summary>Appends in a turn; null when the stream is not open.</summary>
    public AppendResult? TryAppend(ReadOnlySpan<NewEvent> events, List<PublishedEvent>? each)
    {
        using var span = IsOpen ? Spans.Append(Name) : null;
        Effects effects;
        AppendResult result;
        lock (_turn)
        {
            if (_phase != Phase.Open) return null;
            var now = context.Now;
            _stream!.StoreIsDown = context.Circuit.IsOpen;
            _stream.BacklogRoom = BacklogRoom_UnderLock(_stream.Settings.Backlog);
            result = _stream.Append(events, now, each);
            effects = Decide_UnderLock(now);
        }
        Perform(effects);
        return result;
    }

    /// <summary>Storage answers again: what was made void is reopened, who waited is served.</summary>
    public async Task StoreRecovered()
    {
        if (Turn((stream, _) => stream.StoreIsDown = false)) return;
        if (_phase != Phase.Closed || !IsFollowed) return;
        using var lease = Lease();
        if (lease is not null) await EnsureOpen(create: false);
    }

    private ulong? _reopening;

    private async Task RunCommits(LogHandle handle, CommitWork work)
    {
        var began = context.Time.GetTimestamp();
        using var span = Spans.Commit(Name, work);
        var ok = await Attempt(() => context.Log.Append(handle, work.Runs, work.Keys), "commit", stalls: true);
        span?.SetStatus(ok ? ActivityStatusCode.Ok : ActivityStatusCode.Error).Stop();
        // The next commit, which this one's end begins, is not this publisher's.
        if (Activity.Current is not null) Activity.Current = null;
        context.Meter?.Commit(work, ok, context.Time.GetElapsedTime(began));
        if (context.Logger.IsEnabled(LogLevel.Debug))
            Committed(context.Logger, Name, work.Runs[0].First, work.Runs[^1].Last, ok);
        Turn((stream, now) => stream.CommitDone(work, ok, now));
    }

    private async Task Reserve(LogHandle handle, long through)
    {
        var ok = await Attempt(() => context.Log.Reserve(handle, through));
        if (!ok) await Task.Delay(TimeSpan.FromSeconds(1), context.Time);
        Turn((stream, _) => stream.Reserved(through, ok));
    }

    private async Task Reopen(LogHandle handle, long confirmed, long next)
    {
        // The same epoch until storage has taken it: a try that failed may have happened, and would fence the next.
        var epoch = _reopening ??= context.NewEpoch();
        LogHandle? opened = null;
        var ok = await Attempt(async () => opened = await context.Log.Reopen(handle, epoch, confirmed, next));
        if (ok) _reopening = null;
        else await Task.Delay(TimeSpan.FromSeconds(1), context.Time);
        Turn((stream, _) => stream.Reopened(opened));
    }

    private Task<bool> Trim(LogHandle handle, long through) =>
        Attempt(() => context.Log.Trim(handle, through, context.Now.UnixMs));

    /// <summary>Storage's word on one write: a failure opens the circuit. So does one that <paramref name="stalls"/>
    /// past its limit; its outcome is waited for all the same.</summary>
    private async Task<bool> Attempt(Func<Task> write, string operation = "write_storage", bool stalls = false)
    {
        var epoch = _stream?.Handle.Epoch;
        try
        {
            var writing = write();
            if (!writing.IsCompleted && context.Operations is { } operations
                && !await operations.EndsWithin(operations.Options.Timeout, writing, operation, Name) && stalls)
                context.Circuit.Trip(new LogUnavailableException("Storage does not answer."));
            await writing;
            return true;
        }
        catch (LogUnavailableException e)
        {
            context.Meter?.WriteErrors.One("of", "storage");
            context.Circuit.Trip(e);
        }
        catch (LogFencedException e)
        {
            Fence(e, epoch);
        }
        return false;
    }

    [LoggerMessage(EventIds.Committed, LogLevel.Debug,
        "Stream {Stream}: seq {First} to {Last} on storage: {Succeeded}")]
    private static partial void Committed(ILogger logger, string stream, long first, long last, bool succeeded);
}
