using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Api.Endpoints;

/// <summary>The bytes of all request bodies that are held at once. Thread-safe.</summary>
internal sealed class RequestMemory
{
    private long _used;

    public RequestMemory(LimitsOptions limits, ServerMeter meter)
    {
        Most = limits.RequestMemoryBytes;
        meter.RequestBytes = () => Volatile.Read(ref _used);
    }

    public long Most { get; }

    /// <summary>Takes room for so many bytes; false where there is none.</summary>
    public bool TryTake(int bytes)
    {
        // What is refused is never counted: it would take the room of what fits.
        for (var used = Volatile.Read(ref _used); used + bytes <= Most;)
        {
            var seen = Interlocked.CompareExchange(ref _used, used + bytes, used);
            if (seen == used) return true;
            used = seen;
        }
        return false;
    }

    public void Return(int bytes) => Interlocked.Add(ref _used, -bytes);
}
