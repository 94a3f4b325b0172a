using System.Globalization;
using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Streams.StreamUnderTest;

namespace OrleansEvents.Tests.Streams;

/// <summary>
/// What an <see cref="EventStream"/> must do, in plain lists: every step is taken by the machine and by the lists, and
/// then compared. The log in memory is what storage holds.
/// </summary>
internal sealed partial class EventStreamModel
{
    private readonly StreamUnderTest _under;
    private readonly StreamLimits _limits = new(Keys: 40, VoidAfter: TimeSpan.FromSeconds(1),
        CommitLimit: TimeSpan.FromSeconds(5));
    private readonly List<Batch> _staged = [];
    private readonly List<Shown> _ring = [];
    private readonly Dictionary<string, KnownKey> _keys = [];
    private readonly HashSet<long> _void = [];
    private readonly List<long> _countable = [];
    private readonly Dictionary<long, string> _mustStay = [];
    private List<Batch>? _inFlight;
    private CommitWork? _work;
    private bool _workIsVoid;
    private (long Confirmed, long Next, ulong Epoch)? _reopening;
    private ulong? _reopenEpoch;
    private bool _needsReopen;
    private StreamSettings _settings;
    private long _floor;
    private long _lastGiven;
    private long _highest;
    private int _contents;

    public EventStreamModel(StreamSettings settings)
    {
        (_settings, _logAll) = (settings, settings.Durable);
        _under = new StreamUnderTest(settings, _limits);
    }

    private EventStream Stream => _under.Stream;

    private Instant Now => _under.Now;

    /// <summary>Appends a batch. Bits of <paramref name="how"/>: critical, keyed, a key used before, other
    /// content.</summary>
    public void Append(int count, int how)
    {
        var events = new NewEvent[count];
        for (var i = 0; i < count; i++) events[i] = Make(how + i * 7);
        var expected = Expect(events);
        var each = new List<PublishedEvent>();
        var answer = Stream.Append(events, Now, each);
        Assert.Equal(expected.Refusal, answer.Refusal?.Code);
        Assert.Equal(expected.Await, answer.AwaitFirst);
        if (expected.Refusal is not null || expected.Await is not null) return;
        Assert.Equal(expected.Ids, each.Select(one => one.Id.Seq));
        Assert.Equal(expected.Duplicates, each.Select(one => one.Duplicate));
        Assert.Equal(expected.Batch?.Events.Count ?? 0, answer.Published.Count);
        if (expected.Batch is not { } batch) return;
        Assert.Equal(batch.Durable, answer.Published.Durable);
        Assert.True(batch.Events[0].Seq > _highest, "A number was given twice.");
        (_highest, _lastGiven) = (batch.Events[^1].Seq, batch.Events[^1].Seq);
        batch.Pending = answer.Pending;
        var visibleAtOnce = !batch.Durable && _staged.Count == 0;
        Assert.Equal(visibleAtOnce, answer.Pending is null);
        if (visibleAtOnce) Show(batch);
        else _staged.Add(batch);
        Remember(batch);
    }

    public void NextCommit()
    {
        var expected = _inFlight is not null || _needsReopen
            ? []
            : _staged.Where(batch => batch is { Durable: true, Taken: false }).ToList();
        var work = Stream.NextCommit();
        Assert.Equal(expected.Count > 0, work is not null);
        if (work is null) return;
        Assert.Equal(expected.SelectMany(batch => batch.Events).Select(one => one.Seq), SeqsOf(work.Runs));
        Assert.Equal(expected.SelectMany(batch => batch.Events).Where(one => one.Key is not null).Select(one =>
            one.Key),
            work.Keys.Select(key => key.Key));
        foreach (var batch in expected) batch.Taken = true;
        (_inFlight, _work, _workIsVoid) = (expected, work, false);
    }

    /// <summary>The commit in flight comes back.</summary>
    public void CommitDone(bool happened, bool succeeded)
    {
        if (_work is not { } work) return;
        var batches = _inFlight!;
        // The bytes must be there until now, void or not.
        Assert.Equal(batches.SelectMany(batch => batch.Events).Select(one => one.Seq), SeqsOf(work.Runs));
        if (happened) _under.Write(work);
        Stream.CommitDone(work, succeeded && happened, Now);
        (_work, _inFlight) = (null, null);
        if (_workIsVoid) return;
        if (!(succeeded && happened))
        {
            MakeVoid();
            return;
        }
        foreach (var batch in batches)
        {
            batch.Committed = true;
            foreach (var one in batch.Events) _mustStay[one.Seq] = one.Data;
        }
        Release();
    }

    public void Tick(int ms)
    {
        _under.Pass(ms / 1000.0);
        var due = VoidIsDue;
        if (due) Assert.True(Stream.NextTickMs(Now) <= Now.Ms + 1000);
        var before = Stream.StoredCount;
        var trimmed = Stream.Tick(Now);
        Evict();
        if (due) MakeVoid();
        if (trimmed == 0 || _reopenEpoch is not null) return;
        Assert.True(Stream.StoredCount >= Math.Min(before, _settings.Retention.Count ?? 0),
            "Trimmed more than retention allows.");
        _under.Log.Trim(_under.Handle, trimmed, Now.UnixMs).GetAwaiter().GetResult();
        foreach (var seq in _mustStay.Keys.Where(seq => seq <= trimmed).ToList()) _mustStay.Remove(seq);
    }

    public void BeginReopen()
    {
        var expected = _needsReopen && _reopening is null && !(_work is not null && _workIsVoid);
        var begun = Stream.BeginReopen();
        Assert.Equal(expected, begun is not null);
        if (begun is not { } reopen) return;
        Assert.True(reopen.Next > _lastGiven);
        _reopening = (reopen.Confirmed, reopen.Next, _reopenEpoch ??= _under.NewEpoch());
    }

    public void Reopened(bool happened, bool succeeded)
    {
        if (_reopening is not { } reopen) return;
        _reopening = null;
        LogHandle? handle = happened
            ? _under.Log.Reopen(_under.Handle, reopen.Epoch, reopen.Confirmed, reopen.Next).GetAwaiter().GetResult()
            : null;
        if (!(happened && succeeded))
        {
            Stream.Reopened(null);
            return;
        }
        Stream.Reopened(handle);
        (_needsReopen, _reopenEpoch, _lastGiven) = (false, null, reopen.Next - 1);
        _countable.Clear();
    }

    public void Reserve(bool succeeded)
    {
        if (Stream.BeginReserve() is not { } through) return;
        if (succeeded) _under.Log.Reserve(_under.Handle, through).GetAwaiter().GetResult();
        Stream.Reserved(through, succeeded);
    }

    public void Configure(int buffer, bool durable, bool happened, bool succeeded)
    {
        // A handle that storage no longer knows cannot write.
        if (_reopenEpoch is not null) return;
        var settings = _settings with { Buffer = buffer, Durable = durable };
        var since = Stream.BeginSettings(settings);
        if (happened) _under.Log.SaveSettings(_under.Handle, settings.ToJson(), since).GetAwaiter().GetResult();
        succeeded &= happened;
        Stream.SettingsSaved(settings, since, succeeded, Now);
        _logAll = succeeded ? durable : _logAll || durable;
        if (succeeded) _settings = settings;
        Evict();
    }

    public void EvictAll()
    {
        Stream.EvictAll();
        while (_ring.Count > 0) EvictOldest();
    }

    /// <summary>Closes and opens again, if nothing waits.</summary>
    public void Restart()
    {
        if (_staged.Count > 0 || _needsReopen || _work is not null) return;
        var seen = _under.Feed.History.At(_ring.Count > 0 ? _ring[0].Seq : _under.Feed.Head);
        _under.CloseGracefully();
        _under.Open();
        AfterOpening();
        // A save that seemed to fail may have made the ring smaller.
        Evict();
        if (seen.Seq >= _floor)
            Assert.Equal(new ReadStart(seen.Seq, null, _under.Feed.History.Epoch),
                _under.Feed.Resolve(ReadFrom.After(seen)));
    }

    /// <summary>The process dies; what was in flight may be on storage.</summary>
    public void Crash(bool happened)
    {
        if (_work is { } work && happened && _reopenEpoch is null) _under.Write(work);
        _staged.Clear();
        (_work, _inFlight, _reopening, _reopenEpoch, _needsReopen) = (null, null, null, null, false);
        var seen = _under.Feed.History.At(_under.Feed.Head);
        var ordinary = !_logAll;
        _under.Open();
        AfterOpening();
        ReadBack();
        if (ordinary) Assert.Equal(GapReason.Restart, _under.Feed.Resolve(ReadFrom.After(seen)).Gap!.Value.Reason);
        Assert.True(Stream.LastGiven >= _highest);
    }

    private static IEnumerable<long> SeqsOf(IReadOnlyList<EventRun> runs)
    {
        foreach (var run in runs)
            for (var i = 0; i < run.Count; i++) yield return run.Slots[i].Seq;
    }

    private NewEvent Make(int how)
    {
        var content = ++_contents;
        var key = (how & 6) switch
        {
            2 => $"k{content}",
            6 when _keys.Count > 0 => _keys.Keys.ElementAt(how % _keys.Count),
            _ => null,
        };
        var data = key is not null && _keys.TryGetValue(key, out var known) && how % 5 != 0
            ? known.Data
            : content.ToString(CultureInfo.InvariantCulture) + new string('0', how % 40);
        return Event(data, critical: (how & 1) != 0, key);
    }

    private sealed record Shown(long Seq, string Data, bool Critical, string? Key, long AppendedMs);

    private sealed class Batch(bool durable, long stagedMs)
    {
        public bool Durable { get; } = durable;

        public long StagedMs { get; } = stagedMs;

        public List<Shown> Events { get; } = [];

        public PendingBatch? Pending { get; set; }

        public bool Taken { get; set; }

        public bool Committed { get; set; }
    }

    private sealed record KnownKey(string Data, bool Critical, long Seq, long ExpiresMs, Batch? Batch)
    {
        public PendingBatch? Awaited => Batch?.Pending is { Outcome.IsCompleted: false } pending ? pending : null;
    }
}
