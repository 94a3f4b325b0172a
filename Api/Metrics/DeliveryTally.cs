using System.Diagnostics.Metrics;
using System.Numerics;

namespace OrleansEvents.Api.Metrics;

/// <summary>
/// A count for the hot path: added to once a round of a connection, on the cell of the processor that runs it, so that
/// no two processors write the same line of memory; summed when somebody looks.
/// </summary>
internal sealed class DeliveryTally
{
    /// <summary>Longs from one cell to the next: two lines of memory, since they are fetched in pairs.</summary>
    private const int Stride = 16;
    private static readonly int s_cells = 
        Math.Min(64, (int)BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount));
    private readonly string[] _by;
    private readonly long[][] _counts;

    /// <param name="by">The values of its label.</param>
    public DeliveryTally(params string[] by)
    {
        _by = by;
        _counts = [.. by.Select(_ => new long[(s_cells + 1) * Stride])];
    }

    /// <param name="by">The index of the label's value.</param>
    /// <param name="count">What is added.</param>
    public void Add(int by, long count)
    {
        var cell = (Thread.GetCurrentProcessorId() & (s_cells - 1)) + 1;
        Interlocked.Add(ref _counts[by][cell * Stride], count);
    }

    public long Sum(int by)
    {
        var sum = 0L;
        for (var cell = 1; cell <= s_cells; cell++) sum += Volatile.Read(ref _counts[by][cell * Stride]);
        return sum;
    }

    public IEnumerable<Measurement<long>> Measure(string label) => _by.Select((name, by) =>
        new Measurement<long>(Sum(by), new KeyValuePair<string, object?>(label, name)));
}
