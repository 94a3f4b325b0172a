namespace OrleansEvents.Client;

/// <summary>
/// Cancels <see cref="Token"/> when the reader has waited too long for a frame. It looks four times in the period
/// rather than arming a timer per frame, and it does not count the time in which the application works on a frame.
/// </summary>
internal sealed class SilenceWatch : IDisposable
{
    private const int Looks = 4;

    private readonly CancellationTokenSource _source;
    private readonly ITimer _timer;
    private volatile bool _waiting;
    private volatile int _silentLooks;

    public SilenceWatch(TimeSpan longestSilence, TimeProvider time, CancellationToken cancellationToken)
    {
        _source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var period = longestSilence / Looks;
        _timer = time.CreateTimer(static watch => ((SilenceWatch)watch!).Look(), this, period, period);
    }

    public CancellationToken Token => _source.Token;

    public void Waiting()
    {
        _silentLooks = 0;
        _waiting = true;
    }

    public void Arrived() => _waiting = false;

    public void Dispose()
    {
        _timer.Dispose();
        _source.Dispose();
    }

    private void Look()
    {
        if (!_waiting || ++_silentLooks < Looks)
            return;
        try
        {
            _source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The connection was given up at this very moment.
        }
    }
}
