using System.Globalization;
using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Streams.StreamUnderTest;

namespace OrleansEvents.Tests.Streams;

/// <summary>Owners that come and go, copies whose messages are lost, repeated or late, and readers that go from one
/// to the other: whatever was ever visible is seen, in order, or lies within a gap that was told.</summary>
public sealed class StreamReplicaModelTests
{
    [Theory]
    [InlineData(5, false)]
    [InlineData(5, true)]
    [InlineData(40, false)]
    public void Readers_of_copies_miss_nothing_in_silence(int buffer, bool durable)
    {
        for (var seed = 0; seed < 400; seed++)
        {
            var run = new Run(seed, StreamSettings.Default with { Buffer = buffer, Durable = durable });
            try
            {
                run.Steps(150);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed}: {e.Message}", e);
            }
        }
    }

    private sealed class Run
    {
        private readonly Random _random;
        private readonly StreamUnderTest _owner;
        private readonly ReplicaUnderTest[] _copies;
        private readonly Reader[] _readers;
        private readonly SortedSet<long> _visible = [];
        private int _events;

        public Run(int seed, StreamSettings settings)
        {
            (_random, _owner) = (new Random(seed), new StreamUnderTest(settings));
            _copies = [new(_owner), new(_owner)];
            foreach (var copy in _copies) copy.Renew(atOnce: true);
            _readers = [.. Enumerable.Range(0, 4).Select(i => new Reader(_visible, _copies[i % 2]))];
        }

        public void Steps(int count)
        {
            for (var i = 0; i < count; i++)
            {
                Step();
                foreach (var copy in _copies) Talk(copy);
                foreach (var reader in _readers)
                    if (_random.Next(3) == 0) reader.Read(_random.Next(1, 400));
            }
            foreach (var copy in _copies) copy.Renew(atOnce: true);
            foreach (var reader in _readers) reader.ReadToTheEnd(_owner.Feed);
        }

        private void Step()
        {
            switch (_random.Next(24))
            {
                case < 14: Append(critical: false, fails: false); break;
                case < 17: Append(critical: true, fails: false); break;
                case 17: Append(critical: true, fails: true); break;
                case 18: Crash(); break;
                case 19: Restart(); break;
                case 20: Configure(); break;
                case 21: _owner.Stream.EvictAll(); break;
                default: Move(); break;
            }
        }

        private void Append(bool critical, bool fails)
        {
            var answers = new List<AppendResult>();
            for (var i = _random.Next(1, 6); i > 0; i--)
                answers.Add(_owner.Append(Event((++_events).ToString(CultureInfo.InvariantCulture), critical)));
            if (_owner.Stream.NextCommit() is { } work)
            {
                if (!fails) _owner.Write(work);
                _owner.Stream.CommitDone(work, !fails, _owner.Now);
            }
            foreach (var answer in answers)
                if (answer.Pending is null || WasShown(answer)) _visible.Add(answer.Published.First.Seq);
            if (_owner.Stream.NeedsReopen) _owner.Reopen();
        }

        private void Crash() => _owner.Open();

        private void Restart()
        {
            _owner.CloseGracefully();
            _owner.Open();
        }

        private void Configure()
        {
            var settings = _owner.Stream.Settings with { Buffer = _random.Next(1, 50) };
            var since = _owner.Stream.BeginSettings(settings);
            _owner.Log.SaveSettings(_owner.Handle, settings.ToJson(), since).GetAwaiter().GetResult();
            _owner.Stream.SettingsSaved(settings, since, succeeded: true, _owner.Now);
        }

        /// <summary>A reader comes back elsewhere with its cursor, as a client does.</summary>
        private void Move()
        {
            var copy = _copies[_random.Next(2)];
            copy.Renew(atOnce: true);
            _readers[_random.Next(_readers.Length)].MoveTo(copy);
        }

        private void Talk(ReplicaUnderTest copy)
        {
            while (_random.Next(5) > 0 && copy.Next() is { } push)
            {
                switch (_random.Next(6))
                {
                    case 0: break;
                    case 1: copy.Delay(push); break;
                    case 2:
                        copy.Take(push);
                        copy.Delay(push);
                        break;
                    default: copy.Take(push); break;
                }
            }
            if (_random.Next(4) == 0) copy.TakeLate(_random);
            if (_random.Next(4) == 0) copy.Renew(atOnce: false);
        }
    }

    private sealed class Reader(SortedSet<long> visible, ReplicaUnderTest copy)
    {
        private StreamFeed _feed = copy.Feed;
        private FeedReader _reader = new(copy.Feed.Resolve(ReadFrom.Beginning));
        private long _told;

        public void MoveTo(ReplicaUnderTest copy)
        {
            _feed = copy.Feed;
            Go(_feed.Resolve(ReadFrom.After(_reader.Position)));
        }

        public void ReadToTheEnd(StreamFeed owner)
        {
            while (Read(1 << 20))
            {
            }
            Covers(owner.Head + 1);
        }

        public bool Read(int maxBytes)
        {
            switch (_feed.Read(ref _reader, maxBytes, out var block))
            {
                case FeedRead.Nothing: return false;
                case FeedRead.Behind:
                    if (_feed.History.StoredSince <= _reader.Seq) return CatchUp();
                    Go(_feed.Overtaken(_reader, GapReason.Slow));
                    return true;
            }
            using (block)
            {
                for (var i = 0; i < block.Count; i++)
                {
                    Covers(block[i].Seq);
                    Assert.True(block[i].Seq > _reader.Seq, $"{block[i].Seq} came behind {_reader.Seq}.");
                    _told = Math.Max(_told, block[i].Seq);
                }
                _reader.Pass(block, block.Count);
            }
            return true;
        }

        /// <summary>What storage has is read from there: all of it up to the copy's buffer.</summary>
        private bool CatchUp()
        {
            _reader.MoveTo(Math.Max(_reader.Seq, _feed.Floor));
            _told = Math.Max(_told, _reader.Seq);
            return true;
        }

        private void Go(ReadStart start)
        {
            if (start.Gap is { } gap)
            {
                Assert.NotEqual(GapReason.Reset, gap.Reason);
                if (gap.Missed is { } counted)
                    Assert.Equal(visible.GetViewBetween(_reader.Seq + 1, start.Seq).Count, counted);
                _told = Math.Max(_told, Math.Max(start.Seq, gap.ResumedAt.Seq));
            }
            else
            {
                Covers(start.Seq + 1);
            }
            _reader.MoveTo(start);
        }

        /// <summary>All that was visible before a number was seen or told.</summary>
        private void Covers(long seq)
        {
            var from = Math.Max(_reader.Seq, _told) + 1;
            if (from < seq) Assert.Empty(visible.GetViewBetween(from, seq - 1));
        }
    }
}
