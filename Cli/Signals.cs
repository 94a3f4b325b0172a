using System.Runtime.InteropServices;

namespace OrleansEvents.Cli;

/// <summary>
/// Signals to this process. The first one cancels <see cref="Token"/>, unless a handler takes them: then each goes
/// there.
/// </summary>
internal sealed class Signals : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private volatile Action<int>? _handler;

    public CancellationToken Token => _stop.Token;

    public int ExitCode { get; private set; }

    public static Signals OfProcess()
    {
        var signals = new Signals();
        Register(PosixSignal.SIGINT, 2);
        Register(PosixSignal.SIGTERM, 15);
        if (!OperatingSystem.IsWindows())
        {
            Register(PosixSignal.SIGHUP, 1);
            Register(PosixSignal.SIGQUIT, 3);
        }
        return signals;

        void Register(PosixSignal signal, int number) =>
            signals._registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                signals.Raise(number);
            }));
    }

    public void Raise(int number)
    {
        if (_handler is { } handler)
        {
            handler(number);
            return;
        }
        ExitCode = 128 + number;
        _stop.Cancel();
    }

    /// <summary>Sends signals to <paramref name="handler"/> until the answer is disposed.</summary>
    public IDisposable Take(Action<int> handler)
    {
        _handler = handler;
        return new Taken(this);
    }

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _stop.Dispose();
    }

    private sealed class Taken(Signals signals) : IDisposable
    {
        public void Dispose() => signals._handler = null;
    }
}
