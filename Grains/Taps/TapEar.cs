using Microsoft.Extensions.Logging;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Taps;

/// <summary>What a tap does with what it hears: one call at a time.</summary>
internal interface ITapFollower
{
    /// <summary>How many read there.</summary>
    int Readers { get; }

    /// <summary>The owner has pushed.</summary>
    Task Heard(TapPush push);

    /// <summary>The owner has answered a sign of life.</summary>
    /// <param name="lease">The answer.</param>
    /// <param name="atOnce">Whether somebody waits for all that the owner had then.</param>
    Task Renewed(TapLease lease, bool atOnce);
}

/// <summary>
/// One node's ear on one stream: takes its owner's pushes, and renews its lease, which bounds how long it can be deaf.
/// What it hears it tells a follower, in one turn at a time. Made outside of grains; whoever made it holds it, because
/// Orleans refers to observers weakly.
/// </summary>
internal sealed partial class TapEar : IStreamTap, IAsyncDisposable
{
    /// <summary>A lease survives so many renewals that are lost: every two seconds for one of 30.</summary>
    private const int RenewalsInLease = 15;

    private static readonly TimeSpan UsualPeriod = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryEvery = TimeSpan.FromMilliseconds(250);

    private readonly IGrainFactory _grains;

    /// <summary>How the owner reaches it. Made when it is first asked for: that may be before it begins to listen, and
    /// one that never does needs none.</summary>
    private readonly Lazy<IStreamTap> _self;
    private readonly ITapFollower _follower;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _stream;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _ending = new();
    private Task _renewing = Task.CompletedTask;
    private TaskCompletionSource _wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TimeSpan _period = UsualPeriod;

    public TapEar(IGrainFactory grains, string stream, ITapFollower follower, TimeProvider time, ILogger logger)
    {
        (_grains, _stream, _follower, _time, _logger) = (grains, stream, follower, time, logger);
        Owner = grains.GetGrain<IStreamGrain>(stream);
        _self = new(() => grains.CreateObjectReference<IStreamTap>(this));
    }

    public IStreamGrain Owner { get; }

    /// <summary>Begins to listen. Once; not before the follower can be told.</summary>
    public void Start() => _renewing = RenewAgainAndAgain();

    /// <inheritdoc/>
    public async Task Push(TapPush push)
    {
        if (push.Epoch == 0)
        {
            // The owner leaves: the next one does not know of this tap yet.
            Volatile.Read(ref _wanted).TrySetResult();
            return;
        }
        await _turn.WaitAsync();
        try
        {
            if (!_ending.IsCancellationRequested) await _follower.Heard(push);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Asks the owner for a sign of life and comes to what it has; throws what Orleans throws.</summary>
    /// <param name="atOnce">Whether somebody waits for all that the owner has.</param>
    /// <param name="begun">Called before the owner is asked: what it has later may not be in the answer.</param>
    public async Task<Refusal?> Renew(bool atOnce, Action? begun = null)
    {
        // Within the turn: a push that follows the answer must not be judged before the answer is.
        await _turn.WaitAsync();
        try
        {
            begun?.Invoke();
            if (_ending.IsCancellationRequested) return null;
            var answer = await Owner.Watch(_self.Value, _follower.Readers, dense: true);
            if (answer.Refusal is { } refused) return refused;
            _period = answer.Value!.Lease / RenewalsInLease;
            await _follower.Renewed(answer.Value, atOnce);
            return null;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Does something while nothing else is told to the follower.</summary>
    public async Task InTurn(Action act)
    {
        await _turn.WaitAsync();
        try
        {
            act();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends the tap; its owner forgets it, at the latest when the lease ends.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_ending.IsCancellationRequested) return;
        await _ending.CancelAsync();
        await _renewing;
        if (_self.IsValueCreated)
        {
            await Try(() => Owner.Unwatch(_self.Value));
            _grains.DeleteObjectReference<IStreamTap>(_self.Value);
        }
        // A push that was under way ends first: nothing is handed on after this.
        await _turn.WaitAsync();
        _turn.Release();
        _ending.Dispose();
    }

    private async Task RenewAgainAndAgain()
    {
        while (!_ending.IsCancellationRequested)
        {
            Volatile.Write(ref _wanted, new(TaskCreationOptions.RunContinuationsAsynchronously));
            var wait = await Try(() => Renew(atOnce: false)) ? _period : RetryEvery;
            using var early = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
            await Task.WhenAny(_wanted.Task, Task.Delay(wait, _time, early.Token));
            await early.CancelAsync();
        }
    }

    private async Task<bool> Try(Func<Task> call)
    {
        try
        {
            await call();
            return true;
        }
#pragma warning disable CA1031 // The owner is moving, or its silo dying: the next renewal tries again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            if (!_ending.IsCancellationRequested) NotRenewed(_logger, _stream, e.Message);
            return false;
        }
    }

    [LoggerMessage(EventIds.TapNotRenewed, LogLevel.Warning,
        "The tap of stream {Stream} could not ask its owner: {Reason}")]
    private static partial void NotRenewed(ILogger logger, string stream, string reason);
}
