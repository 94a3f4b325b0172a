using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>The internal stream on which owners say which streams they have opened, for nodes that follow patterns.
/// A word that is lost is made good by what nodes see in the streams' table.</summary>
internal static class StreamDirectory
{
    public const string Name = "$directory";

    private static ReadOnlyMemory<byte> OpenedType { get; } = "stream_opened"u8.ToArray();

    /// <summary>Says that a stream is open; does not wait.</summary>
    public static void Announce(IGrainFactory grains, string stream)
    {
        // A name has no character that JSON escapes.
        var data = new byte[stream.Length + 2];
        System.Text.Encoding.ASCII.GetBytes(stream, data.AsSpan(1));
        data[0] = data[^1] = (byte)'"';
        grains.GetGrain<IStreamGrain>(Name).Publish(PackedEvents.Of([new NewEvent(OpenedType, 1, data)]), each: false)
            .Ignore();
    }

    /// <summary>The stream that an event is about.</summary>
    public static string Read(ReadOnlySpan<byte> frame, in EventSlot slot) =>
        System.Text.Encoding.ASCII.GetString(frame.Slice(slot.DataStart + 1, slot.DataLength - 2));
}
