namespace OrleansEvents.Streams;

/// <summary>
/// Where feeds take their segments from, and the count of what they hold: the global memory budget is kept against
/// it. Sizes are powers of two from 1 KiB. Thread-safe.
/// </summary>
public sealed class FeedMemory
{
    internal const int SmallestSegment = 1024;
    internal const int UsualLargestSegment = 1 << 20;
    private long _used;

    /// <summary>Bytes of all segments that are held by feeds or pinned by readers.</summary>
    public long Used => Volatile.Read(ref _used);

    internal byte[] Rent(int bytes)
    {
        var array = BytePool.Rent(bytes);
        Interlocked.Add(ref _used, array.Length);
        return array;
    }

    internal void Return(byte[] array)
    {
        Interlocked.Add(ref _used, -array.Length);
        BytePool.Return(array);
    }
}
