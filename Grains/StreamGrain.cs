using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Taps;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>
/// Owns one stream in the cluster: hosts its state machine, as the embedded engine does, with the grain's turn in the
/// place of a lock.
/// <para>The grain is reentrant because a publish awaits a commit whose outcome must reach the state machine in a turn
/// of its own, and because publishes meet in one commit only if they do not wait for each other. What runs between two
/// awaits is a turn: it decides with the state machine, begins what was decided (<see cref="Turned"/>), and may assume
/// nothing about it after the next await. Openings and changes of settings exclude each other by <c>_life</c>.</para>
/// <para>Orleans ends an activation only when none of its calls is under way, and every batch that waits for storage
/// has a call that awaits it: nothing is staged when the stream is closed. An activation that storage has fenced off
/// has a successor; it closes nothing and leaves. A stream that is deleted leaves a grain without a stream, which
/// waits for the next by that name.</para>
/// </summary>
[Reentrant]
// It says itself when it is idle.
[CollectionAgeLimit(AlwaysActive = true)]
[GrainType("stream")]
internal sealed partial class StreamGrain(StreamGrainContext context, ILogger<StreamGrain> logger)
    : Grain, IStreamGrain, IHoldsMemory, IWoken, IGrainMigrationParticipant
{
    private static readonly Refusal StoreUnavailable =
        new(Streams.ErrorCode.StoreUnavailable, "Storage did not take it.", TimeSpan.FromSeconds(1));

    private static readonly Refusal TooManyTaps =
        new(Streams.ErrorCode.RateLimited, "The stream has as many taps as it may.", TimeSpan.FromSeconds(10));

    private string _name = "";
    private bool _isBadName;
    private StreamFeed _feed = null!;

    /// <summary>Made with the first: most streams have none.</summary>
    private StreamTaps? _taps;
    private EventStream? _stream;
    private long _lastUsedMs;

    public async Task<Outcome<DescribedStream>> Describe()
    {
        if (await EnsureOpen(create: false) is { } closed) return closed;
        Used();
        return Described();
    }

    private DescribedStream Described()
    {
        var history = _feed.History;
        return new DescribedStream(_stream!.Settings, history, history.At(_feed.Head), _feed.Floor, _feed.Count,
            _feed.Bytes, _stream.StoredCount, _stream.StoredBytes, _taps?.Count ?? 0, _stream.CreatedMs,
            _taps?.Readers ?? 0, _owing?.Names ?? [], context.Node);
    }

    public async Task<Outcome<ConfiguredStream>> Configure(ReadOnlyMemory<byte> json)
    {
        // Bad settings must not make a stream.
        if (!context.Options.Defaults.TryApply(json, out _, out var invalid)) return invalid;
        var existed = await EnsureOpen(create: false) is null;
        if (await EnsureOpen(create: true) is { } closed) return closed;
        await BeginLife();
        try
        {
            if (_stream is null) return Absent();
            // Its handle is about to be replaced, and would be refused as another owner's.
            if (_stream.NeedsReopen) return StoreUnavailable;
            if (!_stream.Settings.TryApply(json, out var settings, out invalid)) return invalid;
            var (handle, since) = (_stream.Handle, _stream.BeginSettings(settings));
            var ok = await Attempt(() => context.Log.SaveSettings(handle, settings.ToJson(), since));
            _stream.SettingsSaved(settings, since, ok, context.Now);
            Turned();
            return ok ? new ConfiguredStream(settings, !existed) : StoreUnavailable;
        }
        finally
        {
            EndLife();
        }
    }

    public async Task<Outcome<TapLease>> Watch(IStreamTap tap, int readers, bool dense)
    {
        var closed = await EnsureOpen(create: false);
        if (closed is { Code: not Streams.ErrorCode.NotFound } refused) return refused;
        Used();
        if (!Taps.Renew(tap, readers, dense, context.Now.Ms)) return TooManyTaps;
        Arm();
        return new TapLease(_stream is null ? default : _feed.History.At(_feed.Head), context.Options.TapLease,
            Taps.ViewNo);
    }

    public Task Unwatch(IStreamTap tap)
    {
        Used();
        var pushing = _taps?.Remove(tap) ?? Task.CompletedTask;
        Arm();
        return pushing;
    }

    private StreamTaps Taps
    {
        get
        {
            if (_taps is not null) return _taps;
            _taps = new StreamTaps(_feed, context.Options, context.Counts, logger);
            _taps.See(_stream?.Settings ?? context.Options.Defaults);
            return _taps;
        }
    }

    /// <summary>Waits for its turn to open, end or configure the stream.</summary>
    private async ValueTask BeginLife()
    {
        while (_life is { } life) await life.Task;
        _life = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private void EndLife()
    {
        var life = _life!;
        _life = null;
        life.SetResult();
    }

    private void Used() => _lastUsedMs = context.Now.Ms;
}
