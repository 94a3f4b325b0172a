using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Streams;

/// <summary>A <see cref="StreamReplica"/> of a stream under test, with the messages between the two in the test's
/// hand.</summary>
internal sealed class ReplicaUnderTest(StreamUnderTest owner)
{
    private readonly List<(ReplicaPush Push, EventRun Events)> _late = [];
    private StreamHistory? _seen;
    private StreamSettings? _seenSettings;
    private FeedReader _tap;
    private StreamFeed? _tapped;
    private long _viewNo;
    private long _toldView;

    public StreamReplica Replica { get; private set; } = new(new StreamFeed(StreamUnderTest.Name, new FeedMemory()));

    public StreamFeed Feed => Replica.Feed;

    /// <summary>What the owner would push now, or null. It is not told whether that arrives.</summary>
    public (ReplicaPush Push, EventRun Events)? Next()
    {
        See();
        if (_tapped != owner.Feed) return null;
        var (run, previous) = (new EventRun(), _tap.Seq);
        switch (owner.Feed.Read(ref _tap, 400, out var block))
        {
            case FeedRead.Behind:
                _tap.MoveTo(owner.Feed.Head);
                previous = owner.Feed.Head;
                break;
            case FeedRead.Block:
                using (block)
                {
                    for (var i = 0; i < block.Count; i++) run.Append(block[i], block.Frame(block[i]));
                    _tap.Pass(block, block.Count);
                }
                break;
            default:
                if (_toldView == _viewNo) return null;
                break;
        }
        var isAll = run.Count == 0 || !_tap.MayHaveMore;
        var view = isAll && _toldView < _viewNo ? View : null;
        if (view is not null) _toldView = _viewNo;
        return (new ReplicaPush(owner.Feed.History.Epoch, previous, _tap.Seq, _toldView, view), run);
    }

    public void Take((ReplicaPush Push, EventRun Events) push)
    {
        using var above = new EventRun();
        foreach (ref readonly var slot in push.Events.Slots)
            if (slot.Seq > Replica.Position.Seq) above.Append(slot, push.Events.FrameOf(slot));
        if (!Replica.Push(push.Push, above, owner.Now)) Fill();
    }

    public void Delay((ReplicaPush Push, EventRun Events) push) => _late.Add(push);

    /// <summary>One of the delayed pushes arrives; it may arrive again.</summary>
    public void TakeLate(Random random)
    {
        if (_late.Count > 0) Take(_late[random.Next(_late.Count)]);
    }

    /// <summary>What a node does that asks for a sign of life.</summary>
    public void Renew(bool atOnce)
    {
        See();
        if (_tapped != owner.Feed)
        {
            (_tapped, _tap, _toldView) = (owner.Feed, new FeedReader(owner.Feed.Head), _viewNo);
        }
        if (!Replica.Renewed(owner.Feed.History.At(owner.Feed.Head), _viewNo, atOnce)) Fill();
        if (!Replica.IsOver) return;
        // What a node does: whoever comes now gets another.
        Replica = new(new StreamFeed(StreamUnderTest.Name, new FeedMemory()));
        Fill();
    }

    private StreamView View => new(owner.Feed.History, owner.Stream.Settings.Buffer,
        owner.Stream.Settings.BufferBytes, owner.Stream.Settings.MaxAge);

    private void See()
    {
        if (ReferenceEquals(_seen, owner.Feed.History) && ReferenceEquals(_seenSettings, owner.Stream.Settings)) return;
        (_seen, _seenSettings) = (owner.Feed.History, owner.Stream.Settings);
        _viewNo++;
    }

    private void Fill()
    {
        for (var more = true; more;)
        {
            See();
            var (filling, after) = StreamReplica.From(owner.Feed, Replica.Position);
            using var run = new EventRun();
            var reader = new FeedReader(after);
            // A page of a few events, so that filling takes several.
            while (run.Count < 4 && owner.Feed.Read(ref reader, 1, out var block) == FeedRead.Block)
            {
                using (block)
                {
                    run.Append(block[0], block.Frame(block[0]));
                    reader.Pass(block, 1);
                }
            }
            more = run.Count == 4;
            var head = more ? reader.Seq : Math.Max(reader.Seq, owner.Feed.Head);
            Replica.Fill(new(filling, after, head, more, _viewNo, View), run, owner.Now);
        }
    }
}
