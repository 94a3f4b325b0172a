using System.Text;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Streams;

/// <summary>An <see cref="EventStream"/> over a log in memory, with the clock in the test's hand.</summary>
internal sealed class StreamUnderTest
{
    public const string Name = "orders";
    private ulong _lastEpoch;

    public StreamUnderTest(StreamSettings? settings = null, StreamLimits? limits = null)
    {
        (Defaults, Limits) = (settings ?? StreamSettings.Default, limits ?? new StreamLimits());
        Open();
    }

    public MemoryEventLog Log { get; } = new();

    public StreamSettings Defaults { get; }

    public StreamLimits Limits { get; }

    public Instant Now { get; private set; } = new(1_700_000_000_000, 5_000);

    public FeedMemory Memory { get; private set; } = null!;

    public StreamFeed Feed { get; private set; } = null!;

    public EventStream Stream { get; private set; } = null!;

    public OpenedStream Opened { get; private set; } = null!;

    public static NewEvent Event(string data, bool? critical = null, string? key = null, string type = "message") =>
        new(Encoding.UTF8.GetBytes(type), 1, Encoding.UTF8.GetBytes(data), critical, key);

    public void Pass(double seconds)
    {
        var ms = (long)(seconds * 1000);
        Now = new(Now.UnixMs + ms, Now.Ms + ms);
    }

    public ulong NewEpoch() => ++_lastEpoch * 0x1234567;

    public LogHandle Handle => Stream.Handle;

    public AppendResult Append(params NewEvent[] events) => Stream.Append(events, Now);

    public AppendResult Append(List<PublishedEvent> each, params NewEvent[] events) => Stream.Append(events, Now, each);

    /// <summary>The outcome of an append that had to wait and waits no more.</summary>
    public static bool WasShown(AppendResult answer)
    {
        Xunit.Assert.True(answer.Pending!.Outcome.IsCompletedSuccessfully);
        return answer.Pending.Outcome.Result;
    }

    /// <summary>The next commit, written to the log.</summary>
    public void Commit()
    {
        var work = Stream.NextCommit()!;
        Write(work);
        Stream.CommitDone(work, succeeded: true, Now);
    }

    public void Write(CommitWork work) => Log.Append(Stream.Handle, work.Runs, work.Keys).GetAwaiter().GetResult();

    public void Reopen()
    {
        var (confirmed, next) = Stream.BeginReopen()!.Value;
        Stream.Reopened(Log.Reopen(Stream.Handle, NewEpoch(), confirmed, next).GetAwaiter().GetResult());
    }

    /// <summary>Opens what the log has, as after a crash; after <see cref="CloseGracefully"/> as after a
    /// restart.</summary>
    public void Open()
    {
        Opened = Log.Open(Name, NewEpoch(), create: true, Now.UnixMs).GetAwaiter().GetResult()!;
        var settings = Opened.Settings is { } own ? StreamSettings.Parse(own) : Defaults;
        if (settings.Durable && Opened.DurableSince is null)
        {
            Opened = Opened with { Settings = settings.ToJson(), DurableSince = Opened.Epochs[^1].First - 1 };
            Log.SaveSettings(Opened.Handle, Opened.Settings, Opened.DurableSince).GetAwaiter().GetResult();
        }
        using var ring = Opened.Closed?.Ring ?? Log.ReadNewest(Opened.Handle.Id, settings.Buffer, settings.BufferBytes)
            .GetAwaiter().GetResult();
        Memory = new FeedMemory();
        Feed = new StreamFeed(Name, Memory);
        Stream = new EventStream(Feed, Opened, settings, ring, Limits, Now);
    }

    public void CloseGracefully()
    {
        var close = Stream.Close();
        using (close.Ring) Log.Close(Stream.Handle, close).GetAwaiter().GetResult();
    }

    /// <summary>Everything that the ring holds: number and data.</summary>
    public List<(long Seq, string Data)> Ring() => Read(Feed, Feed.Floor);

    public static List<(long Seq, string Data)> Read(StreamFeed feed, long after)
    {
        var found = new List<(long, string)>();
        var reader = new FeedReader(after);
        while (feed.Read(ref reader, 1 << 20, out var block) == FeedRead.Block)
        {
            using (block)
            {
                for (var i = 0; i < block.Count; i++) found.Add((block[i].Seq, DataOf(block.Frame(block[i]),
                    block[i])));
                reader.Pass(block, block.Count);
            }
        }
        return found;
    }

    public static string DataOf(ReadOnlySpan<byte> frame, in EventSlot slot) =>
        Encoding.UTF8.GetString(frame.Slice(slot.DataStart, slot.DataLength));
}
