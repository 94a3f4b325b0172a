using System.Collections.Concurrent;
using OrleansEvents.Grains.Interfaces;

namespace OrleansEvents.Grains;

/// <summary>The streams that are open on this node. Thread-safe. Whoever made it holds it, because Orleans refers to
/// observers weakly.</summary>
public sealed class OwnedStreams : IAskedNode
{
    private readonly ConcurrentDictionary<string, StreamGrain> _open = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>How many.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <inheritdoc/>
    public Task<int[]> Owned(string[] streams) => Task.FromResult(
        Enumerable.Range(0, streams.Length).Where(each => _open.ContainsKey(streams[each])).ToArray());

    internal StreamGrain[] Open() => [.. _open.Values];

    /// <summary>Whoever has the stream here; null: nobody.</summary>
    internal StreamGrain? OwnerOf(string stream) => _open.GetValueOrDefault(stream);

    internal void Add(string stream, StreamGrain grain)
    {
        if (_open.TryAdd(stream, grain)) Interlocked.Increment(ref _count);
        else _open[stream] = grain;
    }

    internal void Remove(string stream, StreamGrain grain)
    {
        // Not one that has come after it.
        if (_open.TryRemove(KeyValuePair.Create(stream, grain))) Interlocked.Decrement(ref _count);
    }
}
