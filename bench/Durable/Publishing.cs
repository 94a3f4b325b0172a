using System.Text;
using OrleansEvents.Streams;

namespace OrleansEvents.Durable;

/// <summary>Requests of the same events, given to an engine where its endpoints call it. The callers go through the
/// streams in turn.</summary>
internal sealed class Publishing
{
    private readonly IEventStreams streams;
    private readonly string[] names;
    private readonly NewEvent[] events;
    private readonly bool critical;
    private int turn;

    public Publishing(IEventStreams streams, string[] names, int events, int dataBytes, bool critical)
    {
        (this.streams, this.names, this.critical) = (streams, names, critical);
        var data = Encoding.ASCII.GetBytes($"\"{new string('x', dataBytes - 2)}\"");
        this.events = [.. Enumerable.Repeat(new NewEvent("bench"u8.ToArray(), 1, data, critical), events)];
    }

    /// <summary>One request to the next stream; throws when it was refused or, critical, is not durable.</summary>
    public async ValueTask Publish()
    {
        var name = names[(uint)Interlocked.Increment(ref turn) % (uint)names.Length];
        var outcome = await streams.Publish(name, events, null, CancellationToken.None);
        if (outcome.Refusal is { } refusal)
            throw new InvalidOperationException($"refused: {refusal}");
        if (critical && !outcome.Value.Durable)
            throw new InvalidOperationException("answered without being durable");
    }

    /// <summary>One request to each stream: opens them.</summary>
    public async Task Open()
    {
        for (var i = 0; i < names.Length; i++) await Publish();
    }
}
