using OrleansEvents.Streams;

namespace OrleansEvents.Api.Embedded;

/// <summary>
/// Whether storage takes writes. A failed write opens the circuit; while it is open durable publishes are refused at
/// once, and storage is probed until it answers.
/// </summary>
internal sealed partial class StoreCircuit(IEventLog log, TimeSpan probeEvery, TimeProvider time, ILogger logger,
    Operations? operations = null)
{
    private readonly Lock _lock = new();
    private string? _failure;
    private bool _probing;

    /// <summary>Raised after the circuit opened (with what failed) and after it closed (with null).</summary>
    public event Action<string?>? Changed;

    /// <summary>What failed; null while storage takes writes.</summary>
    public string? Failure => Volatile.Read(ref _failure);

    public bool IsOpen => Failure is not null;

    public static Refusal Refusal => new(ErrorCode.CircuitOpen, "Storage is down.", TimeSpan.FromSeconds(1));

    public static Refusal Untaken => new(ErrorCode.StoreUnavailable, "Storage did not take it.",
        TimeSpan.FromSeconds(1));

    /// <summary>Opens the circuit and begins to probe.</summary>
    public void Trip(Exception e)
    {
        lock (_lock)
        {
            if (_probing) return;
            _probing = true;
            Volatile.Write(ref _failure, e.Message);
        }
        StorageFailed(logger, e.Message);
        Changed?.Invoke(e.Message);
        _ = Probe();
    }

    private async Task Probe()
    {
        while (true)
        {
            await Task.Delay(probeEvery, time);
            try
            {
                var probe = log.Probe();
                // It says how things are in the log; there is nothing to do but to wait on.
                if (operations is not null)
                    await operations.EndsWithin(operations.Options.Timeout, probe, "probe_storage");
                await probe;
                break;
            }
            catch (LogUnavailableException e)
            {
                Volatile.Write(ref _failure, e.Message);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
        }
        lock (_lock)
        {
            _probing = false;
            Volatile.Write(ref _failure, null);
        }
        StorageRecovered(logger);
        Changed?.Invoke(null);
    }

    [LoggerMessage(EventIds.StorageFailed, LogLevel.Error, "Storage does not take writes: {Reason}")]
    private static partial void StorageFailed(ILogger logger, string reason);

    [LoggerMessage(EventIds.StorageRecovered, LogLevel.Information, "Storage takes writes again")]
    private static partial void StorageRecovered(ILogger logger);
}
