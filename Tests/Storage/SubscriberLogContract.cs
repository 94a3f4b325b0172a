using System.Text;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>What a log must do whose subscribers may have owners of their own.</summary>
public abstract class SubscriberLogContract : IAsyncLifetime
{
    private const long Now = 1_000_000_000;
    private ulong _epoch = 0x8000_0000_0000_0000;

    protected IEventLog Log { get; private set; } = null!;

    private ISubscriberLog Rows => (ISubscriberLog)Log;

    public async ValueTask InitializeAsync() => Log = await Make();

    public async ValueTask DisposeAsync()
    {
        // Without a log the test was skipped.
        if (Log is not null)
        {
            await Log.DisposeAsync();
            await Clean();
        }
        GC.SuppressFinalize(this);
    }

    protected abstract Task<IEventLog> Make();

    protected virtual ValueTask Clean() => ValueTask.CompletedTask;

    [Fact]
    public async Task A_subscriber_of_no_stream_is_nowhere()
    {
        Assert.Null(await Rows.OpenSubscriber("orders", "s", Written("1"), Now));
        var stream = await Open();
        await Log.Delete(stream, Now);
        Assert.Null(await Rows.OpenSubscriber("orders", "s", Written("1"), Now));
    }

    [Fact]
    public async Task A_subscriber_is_made_once_and_found_by_each_later_opening()
    {
        var stream = await Open();
        var absent = (await Rows.OpenSubscriber("orders", "s", null, Now))!;
        Assert.Equal((new SubscriberHandle(stream.Id, "s", 0), null), (absent.Handle, absent.Record));

        var made = (await Rows.OpenSubscriber("orders", "s", Written("first", wakes: true), Now))!;
        Assert.Equal(("first", Now), (Text(made), made.Handle.Epoch));
        Assert.Equal(["orders"], await Log.StreamsToWake());
        var again = (await Rows.OpenSubscriber("orders", "s", Written("other"), Now))!;
        Assert.Equal(("first", Now + 1), (Text(again), again.Handle.Epoch));
        var later = (await Rows.OpenSubscriber("orders", "s", null, Now + 500))!;
        Assert.Equal(("first", Now + 500), (Text(later), later.Handle.Epoch));
    }

    [Fact]
    public async Task Each_opening_fences_the_one_before_and_not_the_stream_s_owner()
    {
        var stream = await Open();
        var first = (await Rows.OpenSubscriber("orders", "s", Written("1"), Now))!.Handle;
        await Rows.SaveSubscriber(first, Written("2"));
        var second = (await Rows.OpenSubscriber("orders", "s", null, Now))!;
        Assert.Equal("2", Text(second));

        await Fenced(() => Rows.SaveSubscriber(first, Written("late")));
        await Fenced(() => Rows.SaveSubscriber(first, Parking("late", 7)));
        await Fenced(() => Rows.RemoveSubscriber(first));
        await Rows.SaveSubscriber(second.Handle, Written("3"));
        var reopened = await Open();
        await Rows.SaveSubscriber(second.Handle, Written("4"));
        Assert.Empty(await Parked(stream.Id));
        var stored = Assert.Single((await Log.Open("orders", ++_epoch, false, Now))!.Subscribers);
        Assert.Equal("4", Encoding.UTF8.GetString(stored.State.Span));
        await Fenced(() => Log.Reserve(reopened, 5));
    }

    [Fact]
    public async Task What_one_parks_is_found_by_the_next()
    {
        var stream = await Open();
        var first = (await Rows.OpenSubscriber("orders", "s", Written("1"), Now))!.Handle;
        await Rows.SaveSubscriber(first, Parking("2", 3, 5, 7));
        var removing = Written("3") with { Unpark = [(4, 6)] };
        await Rows.SaveSubscriber(first, removing);

        var second = (await Rows.OpenSubscriber("orders", "s", null, Now))!;
        Assert.Equal([3, 7], second.Record!.Parked.Select(mark => mark.Seq));
        Assert.Equal([3, 7], await Parked(stream.Id));
        await Rows.RemoveSubscriber(second.Handle);
        Assert.Empty(await Parked(stream.Id));
        Assert.Null((await Rows.OpenSubscriber("orders", "s", null, Now))!.Record);
        await Fenced(() => Rows.SaveSubscriber(second.Handle, Written("4")));
    }

    [Fact]
    public async Task A_deleted_stream_takes_its_subscribers_along()
    {
        var stream = await Open();
        var handle = (await Rows.OpenSubscriber("orders", "s", Written("1"), Now))!.Handle;
        await Log.Delete(stream, Now);
        await Fenced(() => Rows.SaveSubscriber(handle, Written("2")));
        await Open();
        Assert.Null((await Rows.OpenSubscriber("orders", "s", null, Now))!.Record);
        await Fenced(() => Rows.SaveSubscriber(handle, Written("2")));
    }

    [Fact]
    public async Task Many_save_at_once_and_only_those_that_were_overtaken_are_fenced()
    {
        await Open();
        var handles = new List<SubscriberHandle>();
        for (var i = 0; i < 50; i++)
            handles.Add((await Rows.OpenSubscriber("orders", $"s{i}", Written("0"), Now))!.Handle);
        for (var i = 0; i < 50; i += 5) await Rows.OpenSubscriber("orders", $"s{i}", null, Now);

        var saves = handles.SelectMany(handle => new[]
        {
            Rows.SaveSubscriber(handle, Written("1")), Rows.SaveSubscriber(handle, Written("2")),
        }).ToList();
        await Task.WhenAll(saves).ContinueWith(_ => { }, TaskScheduler.Default);

        for (var i = 0; i < 50; i++)
        {
            var isOvertaken = i % 5 == 0;
            Assert.Equal(isOvertaken, saves[2 * i].Exception?.InnerException is LogFencedException);
            Assert.Equal(isOvertaken, saves[2 * i + 1].Exception?.InnerException is LogFencedException);
            Assert.Equal(isOvertaken ? "0" : "2", Text((await Rows.OpenSubscriber("orders", $"s{i}", null, Now))!));
        }
    }

    private async Task<LogHandle> Open() => (await Log.Open("orders", ++_epoch, create: true, Now))!.Handle;

    private static SubscriberWrite Written(string state, bool wakes = false) =>
        new("s", Encoding.UTF8.GetBytes(state)) { Wakes = wakes };

    private static SubscriberWrite Parking(string state, params long[] seqs) => Written(state) with
    {
        Park = TestRuns.Critical(seqs),
        Notes = [.. seqs.Select(_ => ReadOnlyMemory<byte>.Empty)],
        ParkedMs = Now,
    };

    private async Task<IReadOnlyList<long>> Parked(long id)
    {
        var page = await Log.ReadParked(id, "s", 0, 100, int.MaxValue);
        using var events = page.Events;
        return TestRuns.Seqs(events);
    }

    private static string Text(OpenedSubscriber opened) => Encoding.UTF8.GetString(opened.Record!.State.Span);

    private static Task<LogFencedException> Fenced(Func<Task> write) => Assert.ThrowsAsync<LogFencedException>(write);
}
