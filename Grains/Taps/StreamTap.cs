using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Taps;

/// <summary>
/// Follows a stream's line from another node: what the owner pushes, and, after anything was missed, what reading the
/// owner from the tap's own position gives. It never decides that something is lost: only the owner declares a gap.
/// Whoever made it holds it.
/// </summary>
public sealed class StreamTap : IAsyncDisposable, ITapFollower
{
    private const int PageEvents = 1000;
    private const int PageBytes = 1 << 20;

    private readonly TapEar _ear;
    private readonly ITapSink _sink;
    private ReadFrom _initial;
    private TapPosition? _position;
    private long _toldHead;

    private StreamTap(IGrainFactory grains, string stream, ReadFrom from, ITapSink sink, TimeProvider time,
        ILogger logger)
    {
        (_initial, _sink) = (from, sink);
        _ear = new TapEar(grains, stream, this, time, logger);
        _ear.Start();
    }

    int ITapFollower.Readers => 0;

    /// <summary>Follows a stream from a position; one that does not exist is waited for.</summary>
    public static StreamTap Start(IGrainFactory grains, string stream, ReadFrom from, ITapSink sink, TimeProvider time,
        ILogger logger) => new(grains, stream, from, sink, time, logger);

    /// <summary>Ends the tap; its owner forgets it, at the latest when the lease ends.</summary>
    public ValueTask DisposeAsync() => _ear.DisposeAsync();

    async Task ITapFollower.Heard(TapPush push)
    {
        var verdict = _position?.Judge(push) ?? TapVerdict.Resync;
        if (verdict == TapVerdict.Resync) await Resync();
        if (verdict != TapVerdict.Take) return;
        using var run = push.Events.Above(_position!.Value.Head);
        _position = new TapPosition(push.Epoch, push.Head);
        _sink.Events(run);
    }

    async Task ITapFollower.Renewed(TapLease lease, bool atOnce)
    {
        if (lease.Head.Epoch == 0)
        {
            // The head of a stream that does not exist: all that it will ever hold comes behind.
            if (_initial.Kind == ReadFromKind.Head) _initial = ReadFrom.Buffer;
            return;
        }
        if (_position?.IsDeaf(lease.Head, atOnce ? lease.Head.Seq : _toldHead) ?? true) await Resync();
        _toldHead = lease.Head.Seq;
    }

    private async Task Resync()
    {
        while (true)
        {
            var from = _position is { } at ? ReadFrom.After(new Cursor(at.Epoch, at.Head)) : _initial;
            var read = await _ear.Owner.Read(from, PageEvents, PageBytes);
            if (read.Value is not { } page || read.Refusal is not null) return;
            using var run = page.Events.Above(long.MinValue);
            _position = new TapPosition(page.Cursor.Epoch, page.Cursor.Seq);
            if (page.Gap is { } gap) _sink.Gap(gap);
            if (run.Count > 0) _sink.Events(run);
            if (!page.More) return;
        }
    }
}
