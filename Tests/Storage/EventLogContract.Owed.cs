using System.Text;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

public abstract partial class EventLogContract
{
    [Fact]
    public async Task What_can_be_owed_is_told_of_critical_events_or_of_all()
    {
        var handle = (await Open()).Handle;
        await AppendMixed(handle);

        Assert.Equal([Mark(3, true), Mark(4, true), Mark(5, true), Mark(7, true), Mark(12, true), Mark(14, true)],
            await Log.ReadOwed(handle.Id, 0, all: false, types: false));
        Assert.Equal([Mark(1, false), Mark(2, false), Mark(3, true), Mark(4, true), Mark(5, true), Mark(6, false),
            Mark(7, true), Mark(9, false), Mark(11, false), Mark(12, true), Mark(14, true)],
            await Log.ReadOwed(handle.Id, 0, all: true, types: false));
        Assert.Empty(await Log.ReadOwed(handle.Id + 1, 0, all: true, types: false));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_can_be_owed_begins_behind_any_number(bool types)
    {
        var handle = (await Open()).Handle;
        await AppendMixed(handle);
        long[] all = [1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 14];
        for (var after = 0; after <= 15; after++)
        {
            var marks = await Log.ReadOwed(handle.Id, after, all: true, types);
            Assert.Equal(all.Where(seq => seq > after), marks.Select(mark => mark.Seq));
            var critical = await Log.ReadOwed(handle.Id, after, all: false, types);
            Assert.Equal(marks.Where(mark => mark.Critical).Select(mark => mark.Seq),
                critical.Select(mark => mark.Seq));
        }
    }

    [Fact]
    public async Task Types_of_what_can_be_owed_are_told_when_they_are_asked_for()
    {
        var handle = (await Open()).Handle;
        await AppendMixed(handle);
        var all = await Log.ReadOwed(handle.Id, 0, all: true, types: true);
        Assert.Equal(11, all.Length);
        Assert.All(all, mark => Assert.Equal(TestRuns.Type(mark.Seq), Encoding.UTF8.GetString(mark.Type!)));

        var critical = await Log.ReadOwed(handle.Id, 4, all: false, types: true);
        Assert.Equal(["typ2", "typ1", "typ0", "typ2"], critical.Select(mark => Encoding.UTF8.GetString(mark.Type!)));
    }

    [Fact]
    public async Task Streams_are_to_be_woken_while_the_last_state_of_a_subscriber_says_so()
    {
        var b = (await Open("b")).Handle;
        var a = (await Open("a")).Handle;
        await Open("c");
        Assert.Empty(await Log.StreamsToWake());
        await Save(b, "one", wakes: true);
        await Save(b, "two", wakes: true);
        await Save(a, "one", wakes: true);
        await Save(a, "two", wakes: false);
        Assert.Equal(["a", "b"], await Log.StreamsToWake());

        await Save(a, "one", wakes: false);
        await Save(b, "one", wakes: false);
        Assert.Equal(["b"], await Log.StreamsToWake());
        await Log.RemoveSubscriber(b, "two");
        Assert.Empty(await Log.StreamsToWake());
    }

    [Fact]
    public async Task A_deleted_stream_is_not_woken_even_when_it_is_made_again()
    {
        var handle = (await Open()).Handle;
        await Save(handle, "s", wakes: true);
        await Log.Delete(handle, Now);
        Assert.Empty(await Log.StreamsToWake());
        var again = (await Open()).Handle;
        Assert.Empty(await Log.StreamsToWake());
        await Save(again, "s", wakes: true);
        Assert.Equal(["orders"], await Log.StreamsToWake());
    }

    private Task Save(LogHandle handle, string subscriber, bool wakes) =>
        Log.SaveSubscriber(handle, new SubscriberWrite(subscriber, new byte[1]) { Wakes = wakes });

    /// <summary>Rows of every kind: ordinary, critical, mixed, and with a gap.</summary>
    private async Task AppendMixed(LogHandle handle)
    {
        await Append(handle, 1, 2);
        using (var alone = TestRuns.Critical(3)) await Log.Append(handle, [alone], []);
        using (var mixed = TestRuns.Critical(4, 5))
        {
            TestRuns.Add(mixed, 6, critical: false);
            TestRuns.Add(mixed, 7, critical: true);
            await Log.Append(handle, [mixed], []);
        }
        await Append(handle, 9, 11);
        using (var gap = TestRuns.Critical(12, 14)) await Log.Append(handle, [gap], []);
    }

    private static OwedMark Mark(long seq, bool critical) => new(seq, critical, null);
}
