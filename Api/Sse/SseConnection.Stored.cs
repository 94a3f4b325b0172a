using System.Buffers;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>
/// Behind the ring: from storage if the stream is durable, else over a gap. Storage is not waited for: when it hangs,
/// heartbeats and the other lines go on. It is asked for a few lines at a time, so that answers cannot pile up.
/// </summary>
internal sealed partial class SseConnection
{
    private const int MostReads = 4;
    private const int StoredPage = 1000;
    private readonly Queue<StreamLine> _behind = new();
    private int _reads;

    /// <summary>True: there is more at once.</summary>
    private bool CatchUp(StreamLine line, int budget)
    {
        if (!IsStored(line))
        {
            Overtake(line);
            return true;
        }
        if (line.IsBehind) return false;
        if (_reads == MostReads)
        {
            line.IsBehind = true;
            _behind.Enqueue(line);
            return false;
        }
        _reads++;
        // Before reading: all up to it is in storage, so that what is not found there is not.
        line.StoredThrough = line.Feed.Floor;
        line.Stored = Asked(_table.Operations.LimitSimple(_table.Streams.ReadStored(line.Feed.Stream, line.Reader.Seq,
            StoredPage, budget), "read_stored", line.Feed.Stream));
        // Not on the storage's own thread.
        _ = line.Stored.ContinueWith(_ => line.Advanced(), TaskScheduler.Default);
        return false;
    }

    private async ValueTask<bool> TakeStored(StreamLine line)
    {
        if (!line.Stored!.IsCompleted) return false;
        var stored = line.Stored;
        EndRead(line);
        var read = await stored;
        line.IsStuck = read.Refusal is not null && line.Feed.History.State != StreamState.Deleted;
        if (read.Refusal is { } refusal)
        {
            // The next heartbeat tries again: storage comes back, and the reader has lost nothing.
            if (line.IsStuck) WriteReadError(refusal);
            return !line.IsStuck;
        }
        using var run = read.Value!;
        // Trimmed meanwhile: the next turn tells of it.
        if (!IsStored(line)) return true;
        var carry = _subscriber is null ? default : CarryOf(run.Slots);
        for (var i = 0; i < run.Count; i++)
            WriteEvent(line, run.FrameOf(run.Slots[i]), run.Slots[i], carry.IsEmpty ? LineCarry.Plain : carry[i]);
        line.Reader.MoveTo(run.Count > 0 ? run.Last : Math.Max(line.StoredThrough, line.Reader.Seq));
        return true;
    }

    private void EndRead(StreamLine line)
    {
        line.Stored = null;
        _reads--;
    }

    private bool MayReadMore => _reads < MostReads && _behind.Count > 0;

    /// <summary>Gives those a turn that storage can be asked for now.</summary>
    private void AwaitBehind()
    {
        for (var free = MostReads - _reads; free > 0 && _behind.TryDequeue(out var next); free--)
        {
            next.IsBehind = false;
            Await(next);
        }
    }

    /// <summary>What was asked for is not wanted any more.</summary>
    private void LetStoredGo(StreamLine line)
    {
        if (line.Stored is not { } stored) return;
        EndRead(line);
        _ = stored.ContinueWith(static late => late.Result.Value?.Dispose(), CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
    }

    private void WriteReadError(Refusal refusal)
    {
        Interlocked.Increment(ref _failures);
        _table.Counts.ReadErrors.Add();
        _output.Write(_table.Problem(refusal.Code, refusal.Detail));
    }

    private static bool IsStored(StreamLine line) =>
        line.Feed.History.StoredSince is { } since && line.Reader.Seq >= since;
}
