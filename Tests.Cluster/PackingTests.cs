using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

public sealed class PackingTests
{
    [Fact]
    public void Events_are_unpacked_as_they_were_packed()
    {
        NewEvent[] events =
        [
            new("a"u8.ToArray(), 1, "{}"u8.ToArray()),
            new("type"u8.ToArray(), 999, "[1,2]"u8.ToArray(), Critical: true, Key: "schlüssel/0"),
            new("t"u8.ToArray(), 2, "null"u8.ToArray(), Critical: false,
                Time: DateTimeOffset.FromUnixTimeMilliseconds(-5)),
            new("t"u8.ToArray(), 1, "{}"u8.ToArray(), Key: "/s 1", CloudEvent: """{"id":"1"}"""u8.ToArray(),
                TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"u8.ToArray()),
        ];
        var unpacked = PackedEvents.Of(events).Unpack();
        Assert.Equal(events.Select(Shown), unpacked.Select(Shown));
    }

    [Fact]
    public void Bytes_that_are_not_packed_events_are_refused()
    {
        var packed = PackedEvents.Of([new("type"u8.ToArray(), 1, "{}"u8.ToArray(), Key: "k")]);
        for (var length = 0; length < packed.Bytes.Length; length++)
            Assert.Throws<FormatException>(() => new PackedEvents(1, packed.Bytes[..length]).Unpack());
        Assert.Throws<FormatException>(() => (packed with { Count = 2 }).Unpack());
        Assert.Throws<FormatException>(() => (packed with { Count = 0 }).Unpack());
    }

    [Fact]
    public void A_run_is_unpacked_above_a_number()
    {
        using var run = RunOf(3, 5, 9);
        var packed = PackedRun.Of(run);
        using var above = packed.Above(3);
        Assert.Equal([5, 9], Given.Numbers(above));
        Assert.Equal(run.Frames[(run.Frames.Length / 3)..].ToArray(), above.Frames.ToArray());
        using var none = packed.Above(9);
        Assert.Equal(0, none.Count);
        Assert.Throws<FormatException>(() => (packed with { Frames = packed.Frames[1..] }).Above(0));
        Assert.Throws<FormatException>(() => (packed with { Slots = packed.Slots[1..] }).Above(0));
    }

    private static EventRun RunOf(params long[] seqs)
    {
        var run = new EventRun();
        foreach (var seq in seqs)
        {
            var frame = $$"""data {"n":{{seq}}} """;
            System.Text.Encoding.ASCII.GetBytes(frame, run.Reserve(frame.Length));
            run.Commit(new EventSlot(seq, 0, 0, frame.Length, (0, 4), (5, frame.Length - 6), critical: false));
        }
        return run;
    }

    private static string Shown(NewEvent @event) =>
        $"{Convert.ToHexString(@event.Type.Span)} {@event.Version} {Convert.ToHexString(@event.Data.Span)} "
        + $"{@event.Critical} {@event.Key} {@event.Time:O} {Convert.ToHexString(@event.CloudEvent.Span)} "
        + Convert.ToHexString(@event.TraceParent.Span);
}
