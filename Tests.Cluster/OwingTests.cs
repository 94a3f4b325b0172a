using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Grains.Subscribers;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What a stream's owner makes of reports that come late, twice, or not at all: it must let go of nothing that
/// a subscriber may be owed.</summary>
public sealed class OwingTests
{
    private readonly Owing _owing = new("s");

    [Fact]
    public void What_one_was_done_with_the_next_of_that_name_may_be_owed_though_its_end_was_never_heard_of()
    {
        Assert.True(Report(epoch: 5, number: 2, done: 9));
        Assert.Equal(9, _owing.DoneThrough);
        // Its registration, which belongs to no opening yet.
        Assert.False(Report(epoch: 0, number: 3, done: 0));
        Assert.Equal(0, _owing.DoneThrough);
        Assert.True(Report(epoch: 6, number: 4, done: null));
        Assert.Equal(0, _owing.DoneThrough);
        Assert.True(Report(epoch: 6, number: 5, done: 3));
        Assert.False(Report(epoch: 5, number: 9, done: 9));
        Assert.Equal(3, _owing.DoneThrough);
    }

    [Fact]
    public void A_report_that_is_older_than_one_before_it_changes_nothing()
    {
        Assert.True(Report(epoch: 5, number: 3, done: 4, maxPending: null));
        Assert.False(Report(epoch: 5, number: 2, done: 2, maxPending: 1));
        Assert.False(Report(epoch: 5, number: 3, done: 4, maxPending: 1));
        Assert.Equal((4L, false), (_owing.DoneThrough, _owing.Blocks));
        // Another activation counts anew, in another opening.
        Assert.True(Report(epoch: 6, number: 1, done: 4, maxPending: 1));
        Assert.True(_owing.Blocks);
    }

    private bool Report(long epoch, long number, long? done, int? maxPending = null) => _owing.Take(
        new SubscriberReport(epoch, true, false, 9, done, 0, maxPending, false, false, false, number),
        new Instant(0, 0), TimeSpan.FromSeconds(30));
}
