using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace OrleansEvents.Api.Sse;

/// <summary>A concurrent queue that takes a kilobyte only once something was in it: most connections never use theirs.
/// A field of this type must not be read-only.</summary>
internal struct RareQueue<T>
{
    private ConcurrentQueue<T>? _queue;

    public readonly int Count => _queue?.Count ?? 0;

    public void Enqueue(T item) =>
        LazyInitializer.EnsureInitialized(ref _queue, static () => new ConcurrentQueue<T>()).Enqueue(item);

    public readonly bool TryDequeue([MaybeNullWhen(false)] out T item)
    {
        if (_queue is { } queue) return queue.TryDequeue(out item);
        item = default;
        return false;
    }
}
