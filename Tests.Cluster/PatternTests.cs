using OrleansEvents.Streams;
using Xunit;
using ErrorCode = OrleansEvents.Streams.ErrorCode;

namespace OrleansEvents.Tests.Cluster;

public sealed class PatternTests(TwoSilos cluster)
{
    [Fact]
    public async Task A_pattern_gives_the_streams_that_are_there_and_those_that_open_later_on_any_node()
    {
        var root = await cluster.StreamOwnedBy(0);
        await Publish(0, $"{root}.a");
        await Publish(1, $"{root}.b");
        var appeared = new Appeared();
        using var followed = (await cluster.Node(0).FollowPattern(Pattern($"{root}.*"), appeared.Take)).Ok();
        appeared.TakeAll(followed);
        await Given.Until(() => Task.FromResult(appeared.Names.Length == 2));

        await Publish(1, $"{root}.c");
        await Publish(0, $"{root}.d");
        await Publish(0, $"{root}.d.deeper");

        await Given.Until(() => Task.FromResult(appeared.Names.Length == 4));
        Assert.Equal([$"{root}.a", $"{root}.b", $"{root}.c", $"{root}.d"], appeared.Names.Order());
        appeared.Dispose();
    }

    [Fact]
    public async Task A_stream_whose_opening_was_not_heard_of_is_found_in_the_table()
    {
        var root = await cluster.StreamOwnedBy(0);
        var appeared = new Appeared();
        using var followed = (await cluster.Node(0).FollowPattern(Pattern($"{root}.>"), appeared.Take)).Ok();
        // Made without an owner: nobody announces it.
        await cluster.Log.Open($"{root}.quiet.one", 77, create: true, 1);

        await Given.Until(() => Task.FromResult(appeared.Names.Length == 1));
        Assert.Equal([$"{root}.quiet.one"], appeared.Names);
        appeared.Dispose();
    }

    [Fact]
    public async Task The_owners_of_all_that_match_are_asked_at_once()
    {
        var root = await cluster.StreamOwnedBy(0);
        var (asked, all) = (0, new TaskCompletionSource());
        for (var i = 0; i < 5; i++)
        {
            await Publish(0, $"{root}.{i}");
            var isAsked = 0;
            // None answers until all were asked.
            cluster.Calls.OnOwner($"{root}.{i}", method =>
            {
                if (method != "Watch" || Interlocked.Exchange(ref isAsked, 1) != 0) return Task.CompletedTask;
                if (Interlocked.Increment(ref asked) == 5) all.SetResult();
                return all.Task;
            });
        }
        var appeared = new Appeared();
        using var followed = (await cluster.Node(1).FollowPattern(Pattern($"{root}.*"), appeared.Take).AsTask()
            .WaitAsync(TwoSilos.Limit)).Ok();
        appeared.TakeAll(followed);

        await Given.Until(() => Task.FromResult(appeared.Names.Length == 5));
        appeared.Dispose();
    }

    [Fact]
    public async Task A_stream_that_is_made_again_appears_again()
    {
        var root = await cluster.StreamOwnedBy(0);
        await Publish(0, $"{root}.a");
        var appeared = new Appeared();
        using var followed = (await cluster.Node(1).FollowPattern(Pattern($"{root}.*"), appeared.Take)).Ok();
        appeared.TakeAll(followed);
        await Given.Until(() => Task.FromResult(appeared.Names.Length == 1));
        var first = appeared.Leases[0];
        (await cluster.Node(0).Delete($"{root}.a", default)).Ok();
        await Given.Until(() => Task.FromResult(first.Feed.History.State == StreamState.Deleted));

        await Publish(0, $"{root}.a");

        await Given.Until(() => Task.FromResult(appeared.Names.Length == 2));
        Assert.NotSame(first.Feed, appeared.Leases[1].Feed);
        appeared.Dispose();
    }

    [Fact]
    public async Task A_pattern_that_matches_too_many_is_refused_and_one_that_comes_to_is_told_once()
    {
        var root = await cluster.StreamOwnedBy(0);
        for (var i = 0; i < 5; i++) await Publish(0, $"{root}.{i}");
        var appeared = new Appeared();
        using var followed = (await cluster.Node(0).FollowPattern(Pattern($"{root}.*"), appeared.Take)).Ok();
        appeared.TakeAll(followed);
        await Given.Until(() => Task.FromResult(appeared.Names.Length == 5));
        await Publish(0, $"{root}.5");
        await Publish(0, $"{root}.6");

        await Given.Until(() => Task.FromResult(appeared.Full > 0));
        Assert.Equal(ErrorCode.InvalidInput,
            (await cluster.Node(0).FollowPattern(Pattern($"{root}.*"), appeared.Take)).Refusal!.Value.Code);
        Assert.Equal((1, 5), (appeared.Full, appeared.Names.Length));
        appeared.Dispose();
    }

    private static StreamPattern Pattern(string text) =>
        StreamPattern.TryParse(text, out var pattern, out _) ? pattern : throw new ArgumentException(text);

    private async Task Publish(int silo, string name) => (await Given.Publish(cluster.Node(silo), name, 1)).Ok();

    private sealed class Appeared : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly List<FeedLease> _leases = [];

        public int Full { get; private set; }

        public FeedLease[] Leases
        {
            get
            {
                lock (_lock) return [.. _leases];
            }
        }

        public string[] Names => [.. Leases.Select(lease => lease.Feed.Stream)];

        /// <summary>What matched when it began; one that opens meanwhile may have appeared before.</summary>
        public void TakeAll(IPatternLease followed)
        {
            foreach (var lease in followed.Matched) Take(lease);
        }

        public void Take(FeedLease? lease)
        {
            lock (_lock)
            {
                if (lease is null) Full++;
                else _leases.Add(lease);
            }
        }

        public void Dispose()
        {
            foreach (var lease in Leases) lease.Dispose();
        }
    }
}
