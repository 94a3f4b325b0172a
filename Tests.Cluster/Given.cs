using System.Text;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What the tests share: making events, publishing and reading them.</summary>
internal static class Given
{
    public static NewEvent Event(int number, bool? critical = null, string? key = null) =>
        new("note"u8.ToArray(), 1, Encoding.UTF8.GetBytes($$"""{"n":{{number}}}"""), critical, key);

    public static Task<Outcome<PublishAnswer>> Publish(this IStreamGrain stream, params NewEvent[] events) =>
        stream.Publish(PackedEvents.Of(events), each: false);

    public static ValueTask<Outcome<Published>> Publish(IEventStreams node, string stream, int number,
        bool? critical = null, string? key = null) =>
        node.Publish(stream, new[] { Event(number, critical, key) }, null, CancellationToken.None);

    /// <summary>The value; a refusal fails the test.</summary>
    public static T Ok<T>(this Outcome<T> outcome)
    {
        Assert.Null(outcome.Refusal);
        return outcome.Value!;
    }

    /// <summary>The numbers that the published events had as their data, with the gaps before them.</summary>
    public static async Task<(List<int> Numbers, List<Gap> Gaps)> ReadAll(
        this IStreamGrain stream, ReadFrom from, int page = 1000)
    {
        using var limit = new CancellationTokenSource(TwoSilos.Limit);
        var (numbers, gaps) = (new List<int>(), new List<Gap>());
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            var read = (await stream.Read(from, page, 1 << 20)).Ok();
            if (read.Gap is { } gap) gaps.Add(gap);
            using var run = read.Events.Above(0);
            numbers.AddRange(Numbers(run));
            if (!read.More) return (numbers, gaps);
            from = ReadFrom.After(read.Cursor);
        }
    }

    public static List<int> Numbers(EventRun run)
    {
        var numbers = new List<int>();
        foreach (ref readonly var slot in run.Slots)
        {
            var data = run.FrameOf(slot).Slice(slot.DataStart, slot.DataLength);
            numbers.Add(int.Parse(Encoding.UTF8.GetString(data)[5..^1]));
        }
        return numbers;
    }

    public static async Task Until(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(TwoSilos.Limit);
        while (!await condition()) await Task.Delay(20, limit.Token);
    }
}
