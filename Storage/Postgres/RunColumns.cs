using System.Runtime.InteropServices;
using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>A run of events as two columns. Slots lie in them as they lie in memory.</summary>
internal static class RunColumns
{
    public static byte[] Slots(EventRun run) => MemoryMarshal.AsBytes(run.Slots).ToArray();

    public static ReadOnlySpan<EventSlot> Slots(byte[] column) => MemoryMarshal.Cast<byte, EventSlot>(column);

    /// <summary>The run in the columns <c>slots, frames</c>.</summary>
    public static EventRun Read(NpgsqlDataReader row, int slots)
    {
        var (read, frames) = (row.GetFieldValue<byte[]>(slots), row.GetFieldValue<byte[]>(slots + 1));
        var run = new EventRun(frames.Length + 1, read.Length / EventSlot.Size + 1);
        run.Append(frames, Slots(read));
        return run;
    }
}
