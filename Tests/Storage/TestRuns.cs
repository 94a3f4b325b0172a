using System.Text;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Storage;

/// <summary>Runs of events with frames that only have to be bytes of the right length.</summary>
internal static class TestRuns
{
    public const int FrameBytes = 64;

    private const int TypeStart = 40;

    public static EventRun Of(params long[] seqs) => Of(critical: false, seqs);

    public static EventRun Critical(params long[] seqs) => Of(critical: true, seqs);

    public static EventRun Range(long first, int count)
    {
        var run = new EventRun();
        for (var i = 0; i < count; i++) Add(run, first + i, critical: false);
        return run;
    }

    public static void Add(EventRun run, long seq, bool critical, int bytes = FrameBytes)
    {
        Frame(seq, bytes).CopyTo(run.Reserve(bytes));
        run.Commit(new EventSlot(seq, AppendedMs(seq), 0, bytes, (TypeStart, 4), (50, 8), critical));
    }

    /// <summary>When an event of that number was appended, as these runs have it.</summary>
    public static long AppendedMs(long seq) => 1_000_000 + seq;

    /// <summary>The type of an event of that number.</summary>
    public static string Type(long seq) => $"typ{seq % 3}";

    /// <summary>The frame that an event of that number must have.</summary>
    public static byte[] Frame(long seq, int bytes = FrameBytes)
    {
        var frame = new byte[bytes];
        frame.AsSpan().Fill((byte)'.');
        Encoding.ASCII.GetBytes($"id: {seq} ").CopyTo(frame, 0);
        Encoding.ASCII.GetBytes(Type(seq)).CopyTo(frame, TypeStart);
        frame[^1] = frame[^2] = (byte)'\n';
        return frame;
    }

    public static long[] Seqs(EventRun run)
    {
        var seqs = new long[run.Count];
        for (var i = 0; i < seqs.Length; i++) seqs[i] = run.Slots[i].Seq;
        return seqs;
    }

    /// <summary>Whether every frame is the one that belongs to its number.</summary>
    public static bool FramesAreRight(EventRun run)
    {
        foreach (ref readonly var slot in run.Slots)
            if (!run.FrameOf(slot).SequenceEqual(Frame(slot.Seq, slot.Length))) return false;
        return true;
    }

    private static EventRun Of(bool critical, long[] seqs)
    {
        var run = new EventRun();
        foreach (var seq in seqs) Add(run, seq, critical);
        return run;
    }
}
