using System.Diagnostics;
using System.Globalization;
using OrleansEvents.Streams;

namespace OrleansEvents.Subscribers;

/// <summary>
/// Memory of 10,000 subscribers that are owed 100 events each: waiting, delivered and not acknowledged, and after one
/// delivery has failed. Leaves the folder as a crash would.
/// </summary>
internal static class MemoryWork
{
    private const int Subscribers = 10_000;
    private const int Events = 100;
    private const int Control = 100_000;

    public static async Task<string> Run(int streams, string folder)
    {
        var each = Subscribers / streams;
        var population = await Population.Start(folder, Events);
        // As many events without a subscriber: what they take themselves.
        await population.Warm();
        var bare = await Settled();
        for (var stream = 0; stream < streams; stream++) await population.Publish(Control + stream);
        var empty = await Settled();
        var events = new Usage(empty.Heap - bare.Heap, empty.Resident - bare.Resident);
        await population.Register(streams, each, """{"ackWait":3600,"backoff":[3600]}""");
        var registered = await Settled();
        for (var stream = 0; stream < streams; stream++) await population.Publish(stream);
        registered = new Usage(registered.Heap + events.Heap, registered.Resident + events.Resident);
        var waiting = await Settled();
        var sessions = new ISubscriberSession[Subscribers];
        await Population.Each(Subscribers, async index => sessions[index] = await Deliver(population, index, each));
        var inFlight = await Settled();
        foreach (var session in sessions) session.Dispose();
        var failed = await Settled();
        var line = string.Create(CultureInfo.InvariantCulture,
            $"{{\"streams\":{streams},\"events_heap\":{PerEntry(events.Heap)},"
            + $"\"events_rss\":{PerEntry(events.Resident)},"
            + $"\"subscriber_heap\":{PerSubscriber(registered.Heap - events.Heap - empty.Heap)},"
            + $"\"subscriber_rss\":{PerSubscriber(registered.Resident - events.Resident - empty.Resident)},"
            + $"{Entry("waiting", waiting, registered)},{Entry("in_flight", inFlight, registered)},"
            + $"{Entry("failed", failed, registered)},\"rss\":{failed.Resident}}}");
        Console.WriteLine(line);
        Console.Out.Flush();
        Environment.Exit(0);
        return line;
    }

    private static async Task<ISubscriberSession> Deliver(Population population, int index, int each)
    {
        var outcome = await population.Engine.Subscribe(Population.Stream(index / each), Population.Name(index),
            SessionKind.Connection);
        Population.Require(outcome.Refusal);
        var session = outcome.Value!;
        session.Begin(long.MaxValue);
        var taken = await session.Take(Events, int.MaxValue);
        using var events = taken.Events;
        if (events.Count != Events) throw new InvalidOperationException($"{events.Count} events were taken");
        session.Delivered([.. events.Slots.ToArray().Select(slot => slot.Seq)]);
        return session;
    }

    private static string Entry(string name, Usage now, Usage before) =>
        string.Create(CultureInfo.InvariantCulture,
            $"\"{name}_heap\":{PerEntry(now.Heap - before.Heap)},"
            + $"\"{name}_rss\":{PerEntry(now.Resident - before.Resident)}");

    private static string PerEntry(long bytes) =>
        (bytes / (double)(Subscribers * Events)).ToString("F1", CultureInfo.InvariantCulture);

    private static string PerSubscriber(long bytes) =>
        (bytes / (double)Subscribers).ToString("F0", CultureInfo.InvariantCulture);

    /// <summary>When nothing is saved any more, and what is garbage is gone.</summary>
    private static async Task<Usage> Settled()
    {
        using var process = Process.GetCurrentProcess();
        TimeSpan before, now = process.TotalProcessorTime;
        do
        {
            before = now;
            await Task.Delay(TimeSpan.FromSeconds(1.5));
            process.Refresh();
            now = process.TotalProcessorTime;
        }
        while (now - before > TimeSpan.FromSeconds(0.15));
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        process.Refresh();
        return new Usage(GC.GetTotalMemory(forceFullCollection: true), process.WorkingSet64);
    }

    private readonly record struct Usage(long Heap, long Resident);
}
