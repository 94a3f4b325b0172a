using System.Text.Json;
using OrleansEvents.Cli;
using OrleansEvents.Client;
using Xunit;

namespace OrleansEvents.Tests.Cli;

public sealed class EntryQueueTests
{
    [Fact]
    public void Entries_leave_in_order_with_a_key_each()
    {
        var queue = new EntryQueue(new QueueLimits(), "k", TimeProvider.System);
        queue.Add("stdout", "a");
        queue.Add("stderr", "b");

        var batch = queue.Take(10, 1000);

        Assert.Equal(["stdout: a", "stderr: b"], batch.Select(Entry));
        Assert.Equal(["k-1", "k-2"], batch.Select(entry => entry.Key));
        Assert.Empty(queue.Take(10, 1000));
    }

    [Fact]
    public void The_oldest_are_dropped_and_the_loss_is_told_where_it_happened()
    {
        var queue = new EntryQueue(new QueueLimits(Events: 3), "k", TimeProvider.System);
        for (var i = 1; i <= 5; i++)
            queue.Add("stdout", $"{i}");

        var batch = queue.Take(3, 1000);

        Assert.Equal(
            ["error: entries dropped here while the server was away and the queue was full: 2",
                "stdout: 3", "stdout: 4"],
            batch.Select(Entry));
        Assert.Equal(["stdout: 5"], queue.Take(3, 1000).Select(Entry));
        Assert.Equal(2, queue.Dropped);
    }

    [Fact]
    public void Bytes_are_bounded_too()
    {
        var queue = new EntryQueue(new QueueLimits(Bytes: 1000), "k", TimeProvider.System);
        for (var i = 0; i < 100; i++)
            queue.Add("stdout", new string('x', 200));

        Assert.InRange(queue.Count, 1, 4);
        Assert.Equal(100, queue.Count + queue.Dropped);
    }

    [Fact]
    public void A_batch_is_bounded_but_never_empty()
    {
        var queue = new EntryQueue(new QueueLimits(), "k", TimeProvider.System);
        for (var i = 0; i < 4; i++)
            queue.Add("stdout", new string('x', 200));

        Assert.Single(queue.Take(10, 10));
        Assert.Single(queue.Take(1, 1_000_000));
        Assert.Equal(2, queue.Take(10, 1_000_000).Count);
    }

    private static string Entry(NewEvent entry)
    {
        var data = JsonElement.Parse(entry.Data.Span);
        return $"{data.GetProperty("type").GetString()}: {data.GetProperty("content").GetString()}";
    }
}
