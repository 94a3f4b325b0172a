using System.Security.Cryptography;

namespace OrleansEvents.Grains;

/// <summary>Draws epochs, and remembers the newest: a stream whose last epoch is not among them was opened by another
/// process since, or here very long ago. Thread-safe.</summary>
internal sealed class OwnEpochs
{
    private const int Remembered = 65_536;
    private readonly Lock _lock = new();
    private readonly HashSet<ulong> _known = [];
    private readonly Queue<ulong> _order = [];

    public ulong Draw()
    {
        var epoch = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));
        lock (_lock)
        {
            if (_order.Count == Remembered) _known.Remove(_order.Dequeue());
            if (_known.Add(epoch)) _order.Enqueue(epoch);
        }
        return epoch;
    }

    public bool Has(ulong epoch)
    {
        lock (_lock) return _known.Contains(epoch);
    }
}
