using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Taps;

/// <summary>
/// Follows a stream from another node: what the owner pushes, and, after anything was missed, what reading the owner
/// from the tap's own position gives. It never decides that something is lost: only the owner declares a gap. It
/// renews its lease every two seconds, or as the lease asks, and learns the head by it, which bounds how long it can
/// be deaf. Made outside of grains; whoever made it holds it, because Orleans refers to observers weakly.
/// </summary>
public sealed partial class StreamTap : IStreamTap, IAsyncDisposable
{
    private const int PageEvents = 1000;
    private const int PageBytes = 1 << 20;

    /// <summary>A lease survives so many renewals that are lost: every two seconds for one of 30.</summary>
    private const int RenewalsInLease = 15;

    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(2);

    private readonly IGrainFactory _grains;
    private readonly IStreamGrain _owner;
    private readonly IStreamTap _self;
    private readonly ITapSink _sink;
    private readonly ILogger _logger;
    private readonly string _stream;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly PeriodicTimer _timer;
    private readonly Task _renewing;
    private ReadFrom _initial;
    private TapPosition? _position;
    private long _toldHead;
    private volatile bool _isStopping;

    private StreamTap(IGrainFactory grains, string stream, ReadFrom from, ITapSink sink, TimeProvider time,
        ILogger logger)
    {
        (_grains, _stream, _initial, _sink, _logger) = (grains, stream, from, sink, logger);
        _owner = grains.GetGrain<IStreamGrain>(stream);
        _self = grains.CreateObjectReference<IStreamTap>(this);
        _timer = new PeriodicTimer(FirstRetry, time);
        _renewing = Renew();
    }

    /// <summary>Follows a stream from a position; one that does not exist is waited for.</summary>
    public static StreamTap Start(IGrainFactory grains, string stream, ReadFrom from, ITapSink sink, TimeProvider time,
        ILogger logger) => new(grains, stream, from, sink, time, logger);

    /// <inheritdoc/>
    public async Task Push(TapPush push)
    {
        await _turn.WaitAsync();
        try
        {
            if (_isStopping) return;
            var verdict = _position?.Judge(push) ?? TapVerdict.Resync;
            if (verdict == TapVerdict.Resync) await Resync();
            if (verdict != TapVerdict.Take) return;
            using var run = push.Events.Above(_position!.Value.Head);
            _position = new TapPosition(push.Epoch, push.Head);
            _sink.Events(run);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends the tap; its owner forgets it, at the latest when the lease ends.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isStopping) return;
        _isStopping = true;
        _timer.Dispose();
        await _renewing;
        await Try(() => _owner.Unwatch(_self));
        _grains.DeleteObjectReference<IStreamTap>(_self);
        // A push that was under way ends first: nothing is handed on after this.
        await _turn.WaitAsync();
        _turn.Release();
    }

    private async Task Renew()
    {
        do await Try(RenewOnce);
        while (await _timer.WaitForNextTickAsync());
    }

    private async Task RenewOnce()
    {
        // Within the turn: a push that follows the answer must not be judged before the answer is.
        await _turn.WaitAsync();
        try
        {
            var answer = await _owner.Watch(_self);
            if (answer.Value is not { Head: var head, Lease: var lease }) return;
            _timer.Period = lease / RenewalsInLease;
            if (head.Epoch == 0)
            {
                // The head of a stream that does not exist: all that it will ever hold comes behind.
                if (_initial.Kind == ReadFromKind.Head) _initial = ReadFrom.Buffer;
                return;
            }
            if (_position?.IsDeaf(head, _toldHead) ?? true) await Resync();
            _toldHead = head.Seq;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task Resync()
    {
        while (true)
        {
            var from = _position is { } at ? ReadFrom.After(new Cursor(at.Epoch, at.Head)) : _initial;
            var read = await _owner.Read(from, PageEvents, PageBytes);
            if (read.Value is not { } page || read.Refusal is not null) return;
            using var run = page.Events.Above(long.MinValue);
            _position = new TapPosition(page.Cursor.Epoch, page.Cursor.Seq);
            if (page.Gap is { } gap) _sink.Gap(gap);
            if (run.Count > 0) _sink.Events(run);
            if (!page.More) return;
        }
    }

    private async Task Try(Func<Task> call)
    {
        try
        {
            await call();
        }
#pragma warning disable CA1031 // The owner is moving, or its silo dying: the next renewal tries again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            if (!_isStopping) NotRenewed(_logger, _stream, e.Message);
        }
    }

    [LoggerMessage(EventIds.TapNotRenewed, LogLevel.Warning,
        "The tap of stream {Stream} could not ask its owner: {Reason}")]
    private static partial void NotRenewed(ILogger logger, string stream, string reason);
}
