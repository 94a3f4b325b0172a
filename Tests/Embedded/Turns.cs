namespace OrleansEvents.Tests.Embedded;

/// <summary>Every continuation of one simulated process, run on the test's thread in an order that the seed
/// decides.</summary>
internal sealed class Turns(Random random) : SynchronizationContext
{
    private readonly List<(SendOrPostCallback Call, object? State)> _waiting = [];

    public override void Post(SendOrPostCallback d, object? state) => _waiting.Add((d, state));

    public override void Send(SendOrPostCallback d, object? state) => d(state);

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Runs one of those that wait; false when there is none.</summary>
    public bool RunOne()
    {
        if (_waiting.Count == 0) return false;
        var index = random.Next(_waiting.Count);
        var (call, state) = _waiting[index];
        _waiting.RemoveAt(index);
        call(state);
        return true;
    }
}
