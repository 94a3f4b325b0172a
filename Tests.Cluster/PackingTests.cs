using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
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
    public void Packed_events_travel_as_a_generated_serializer_of_the_version_before_writes_them()
    {
        using var provider = new ServiceCollection().AddSerializer().BuildServiceProvider();
        var (now, before) = (provider.GetRequiredService<Serializer<SentEvents>>(),
            provider.GetRequiredService<Serializer<SentEventsBefore>>());
        var packed = PackedEvents.Of([new NewEvent[] { Given.Event(1), Given.Event(2) }], PackedEvents.LengthOf(
            [Given.Event(1), Given.Event(2)]));
        var shared = new object[] { "a" };
        var sent = now.SerializeToArray(new(packed, shared, shared));
        Assert.Equal(before.SerializeToArray(new(new(packed.Count, packed.Bytes), shared, shared)), sent);
        var read = now.Deserialize(sent);
        Assert.Equal(packed.Unpack().Select(Shown), read!.Events.Unpack().Select(Shown));
        Assert.Same(read.Other, read.Again);
        read.Events.ReleaseRead();
        packed.Release();
        Assert.Throws<ObjectDisposedException>(() => now.SerializeToArray(new(packed, shared, shared)));
    }

    [GenerateSerializer]
    internal sealed record SentEvents([property: Id(0)] PackedEvents Events, [property: Id(1)] object[] Other,
        [property: Id(2)] object[] Again);

    [GenerateSerializer]
    internal sealed record SentEventsBefore([property: Id(0)] PackedBefore Events, [property: Id(1)] object[] Other,
        [property: Id(2)] object[] Again);

    [GenerateSerializer, Immutable]
    internal sealed record PackedBefore([property: Id(0)] int Count, [property: Id(1)] ReadOnlyMemory<byte> Bytes);

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

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_dense_run_is_unpacked_as_it_was_packed(int seed)
    {
        var random = new Random(seed);
        var (feed, now, seq) = (new StreamFeed("orders.42", new FeedMemory()), 1_700_000_000_000L, 7L);
        for (var i = 0; i < 2000; i++)
        {
            now += random.Next(2);
            seq += random.Next(20) == 0 ? 5 : 1;
            var (many, trace) = (random.Next(4) == 0, random.Next(8) == 0);
            Append(feed, seq, now, new NewEvent(many ? "several.kinds"u8.ToArray() : "kind"u8.ToArray(), 1,
                System.Text.Encoding.ASCII.GetBytes($"\"{new string('x', random.Next(many ? 3000 : 3))}\""),
                Key: random.Next(9) == 0 ? $"k{i}" : null,
                TraceParent: trace ? "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"u8.ToArray() : default));
        }
        using var all = Unpacked(feed, 0, int.MaxValue, 64 << 20);
        Assert.Equal(feed.Count, all.Count);
        Same(feed, all);
        using var some = Unpacked(feed, all.Slots[9].Seq, 100, 64 << 20);
        Assert.Equal(all.Seqs()[10..110], some.Seqs());
        Same(feed, some);
        using var few = Unpacked(feed, 0, int.MaxValue, 10_000);
        Assert.InRange(few.Frames.Length, 1, 10_000);
        Same(feed, few);
    }

    [Fact]
    public void A_dense_run_is_less_than_its_frames_by_what_they_share()
    {
        var feed = new StreamFeed("orders.42", new FeedMemory());
        var data = System.Text.Encoding.ASCII.GetBytes($"\"{new string('x', 198)}\"");
        for (var i = 1; i <= 256; i++) Append(feed, i, 1_700_000_000_000, new NewEvent("kind"u8.ToArray(), 1, data));
        var reader = new FeedReader(feed.Floor);
        var packed = DenseRun.Of(feed, ref reader, int.MaxValue, 1 << 20, out _)!;
        Assert.InRange(packed.Bytes.Length, 256 * 200, (int)feed.Bytes * 7 / 10);
        packed.Release();
    }

    [Fact]
    public void Bytes_that_are_no_dense_run_are_refused()
    {
        var feed = new StreamFeed("s", new FeedMemory());
        for (var i = 1; i <= 3; i++)
            Append(feed, i, 1_700_000_000_000 + i, new NewEvent("kind"u8.ToArray(), 1, "{}"u8.ToArray()));
        var reader = new FeedReader(feed.Floor);
        var bytes = DenseRun.Of(feed, ref reader, int.MaxValue, 1 << 20, out _)!.Bytes.ToArray();
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<FormatException>(() => new DenseRun(bytes, length, isRead: false).Above(0));
        var random = new Random(1);
        for (var i = 0; i < 5000; i++)
        {
            var broken = bytes.ToArray();
            broken[random.Next(broken.Length)] = (byte)random.Next(256);
            // Some are another run; what matters is that nothing else is thrown.
            try
            {
                new DenseRun(broken, broken.Length, isRead: false).Above(0).Dispose();
            }
            catch (FormatException)
            {
            }
        }
    }

    private static void Append(StreamFeed feed, long seq, long unixMs, NewEvent @event)
    {
        using var run = new EventRun();
        EventEncoder.For(feed.Stream).Encode(run, new Cursor(3, seq), @event, critical: seq % 50 == 0,
            new Instant(unixMs, 0));
        feed.Append(run);
    }

    private static EventRun Unpacked(StreamFeed feed, long after, int maxEvents, int maxBytes)
    {
        var reader = new FeedReader(Math.Max(after, feed.Floor));
        var packed = DenseRun.Of(feed, ref reader, maxEvents, maxBytes, out _)!;
        var run = packed.Above(after);
        packed.Release();
        Assert.Equal(reader.Seq, run.Last);
        return run;
    }

    private static void Same(StreamFeed feed, EventRun run)
    {
        var reader = new FeedReader(run.First - 1);
        for (var i = 0; i < run.Count; i++)
        {
            Assert.Equal(FeedRead.Block, feed.Read(ref reader, 1, out var block));
            using (block)
            {
                Assert.Equal(block[0].At(0), run.Slots[i].At(0));
                Assert.Equal(block.Frame(block[0]).ToArray(), run.FrameOf(run.Slots[i]).ToArray());
                reader.Pass(block, 1);
            }
        }
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
