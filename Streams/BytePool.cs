using System.Buffers;
using System.Numerics;

namespace OrleansEvents.Streams;

/// <summary>
/// Arrays of bytes to be used again. The runtime's shared pool may keep hundreds of megabytes unused; of large
/// arrays this keeps <see cref="MostKept"/> bytes at most, and leaves small ones to the other. Thread-safe.
/// </summary>
public static class BytePool
{
    /// <summary>Bytes of large arrays that are kept for the next.</summary>
    public const int MostKept = 16 << 20;

    private const int LargestShared = 64 << 10;
    private static readonly Lock s_lock = new();
    private static readonly Stack<byte[]>[] s_kept = [.. Enumerable.Range(0, 32).Select(_ => new Stack<byte[]>())];
    private static long s_keptBytes;

    /// <summary>An array of at least so many bytes, with anything in them.</summary>
    public static byte[] Rent(int bytes)
    {
        if (bytes <= LargestShared || bytes > 1 << 30) return ArrayPool<byte>.Shared.Rent(bytes);
        var power = BitOperations.Log2((uint)bytes - 1) + 1;
        lock (s_lock)
        {
            if (s_kept[power].TryPop(out var kept))
            {
                s_keptBytes -= kept.Length;
                return kept;
            }
        }
        try
        {
            return GC.AllocateUninitializedArray<byte>(1 << power);
        }
        catch (OutOfMemoryException)
        {
            return AllocateAfterAll(1 << power);
        }
    }

    /// <summary>Where the heap has a bound, what is free in it may be of the wrong kind: small objects' regions stay
    /// theirs until a collection is told to give everything back.</summary>
    private static byte[] AllocateAfterAll(int bytes)
    {
        lock (s_lock)
        {
            foreach (var kept in s_kept) kept.Clear();
            s_keptBytes = 0;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            return GC.AllocateUninitializedArray<byte>(bytes);
        }
    }

    /// <summary>Takes back what <see cref="Rent"/> gave.</summary>
    public static void Return(byte[] array)
    {
        if (array.Length <= LargestShared || array.Length > 1 << 30)
        {
            ArrayPool<byte>.Shared.Return(array);
            return;
        }
        lock (s_lock)
        {
            // Sizes that are asked for push out those that are not.
            while (s_keptBytes + array.Length > MostKept
                && Array.FindLast(s_kept, each => each.Count > 0) is { } largest
                && largest.Peek().Length != array.Length) s_keptBytes -= largest.Pop().Length;
            if (s_keptBytes + array.Length > MostKept) return;
            s_kept[BitOperations.Log2((uint)array.Length)].Push(array);
            s_keptBytes += array.Length;
        }
    }
}
