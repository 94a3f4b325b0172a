using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains;

/// <summary>The internal stream on which owners say which streams they have opened, for nodes that follow patterns.
/// A silo has one word under way; what it opens meanwhile goes with the next. A word that is lost is made good by
/// what nodes see in the streams' table.</summary>
internal sealed class StreamDirectory(IGrainFactory grains)
{
    public const string Name = "$directory";

    private const int MostInWord = 256;

    /// <summary>Whether a stream is the nodes' own: it is not shown, said or counted.</summary>
    public static bool IsInternal(string stream) => stream is Name or WarmUp.Name;

    private readonly Lock _lock = new();
    private readonly Queue<NewEvent> _waiting = [];
    private bool _isSaying;

    private static ReadOnlyMemory<byte> OpenedType { get; } = "stream_opened"u8.ToArray();

    /// <summary>Says that a stream is open; does not wait.</summary>
    public void Announce(string stream)
    {
        // A name has no character that JSON escapes.
        var data = new byte[stream.Length + 2];
        System.Text.Encoding.ASCII.GetBytes(stream, data.AsSpan(1));
        data[0] = data[^1] = (byte)'"';
        lock (_lock)
        {
            _waiting.Enqueue(new NewEvent(OpenedType, 1, data));
            if (_isSaying) return;
            _isSaying = true;
        }
        _ = Say();
    }

    /// <summary>The stream that an event is about.</summary>
    public static string Read(ReadOnlySpan<byte> frame, in EventSlot slot) =>
        System.Text.Encoding.ASCII.GetString(frame.Slice(slot.DataStart + 1, slot.DataLength - 2));

    private async Task Say()
    {
        // In no stream's turn.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (Take() is { } word)
        {
            try
            {
                await grains.GetGrain<IStreamGrain>(Name).Publish(PackedEvents.Of(word), each: false)
                    .ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Lost, and made good later.
            catch (Exception)
#pragma warning restore CA1031
            {
            }
        }
    }

    private NewEvent[]? Take()
    {
        lock (_lock)
        {
            var word = new NewEvent[Math.Min(_waiting.Count, MostInWord)];
            for (var i = 0; i < word.Length; i++) word[i] = _waiting.Dequeue();
            _isSaying = word.Length > 0;
            return _isSaying ? word : null;
        }
    }
}
