using System.Reflection;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Cluster;

/// <summary>A log in front of another that answers as its test says: storage that is down or slow for one
/// stream.</summary>
public class FaultyLog : DispatchProxy
{
    private readonly HashSet<long> _broken = [];
    private readonly Dictionary<long, Task> _held = [];
    private readonly Dictionary<long, int> _lostReopenings = [];
    private (string Stream, Task Until, TaskCompletionSource Reached)? _opening;
    private IEventLog _log = null!;

    public static (IEventLog Log, FaultyLog Faults) Over(IEventLog log)
    {
        var proxy = Create<IEventLog, FaultyLog>();
        var faults = (FaultyLog)(object)proxy;
        faults._log = log;
        return (proxy, faults);
    }

    /// <summary>Lets appends and reopenings of a stream, by its number in the log, fail, or no longer.</summary>
    public void Break(long id, bool broken)
    {
        lock (_broken)
        {
            if (broken) _broken.Add(id);
            else _broken.Remove(id);
        }
    }

    /// <summary>Lets appends of a stream be done at once but answered only after something.</summary>
    public void Hold(long id, Task until)
    {
        lock (_broken) _held[id] = until;
    }

    /// <summary>Lets the next opening of a stream be done at once but answered only after something; completes when it
    /// is done.</summary>
    public Task HoldOpening(string stream, Task until)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_broken) _opening = (stream, until, reached);
        return reached.Task;
    }

    /// <summary>Lets no stream be closed gracefully: a silo that is killed within its process still tries.</summary>
    public bool LosesCloses { get; set; }

    /// <summary>Lets so many reopenings of a stream be done, and answered as if storage had failed.</summary>
    public void LoseReopenings(long id, int count)
    {
        lock (_broken) _lostReopenings[id] = count;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (LosesCloses && targetMethod!.Name == nameof(IEventLog.Close))
            return Task.FromException(new LogUnavailableException("the process is gone for this test"));
        if (args is [LogHandle handle, ..] && IsBroken(handle.Id))
        {
            var down = new LogUnavailableException("storage is down for this test");
            if (targetMethod!.Name == nameof(IEventLog.Append)) return Task.FromException(down);
            if (targetMethod.Name == nameof(IEventLog.Reopen)) return Task.FromException<LogHandle>(down);
        }
        var answer = targetMethod!.Invoke(_log, args);
        if (args is [LogHandle reopened, ..] && targetMethod.Name == nameof(IEventLog.Reopen) && Loses(reopened.Id))
            return Task.FromException<LogHandle>(new LogUnavailableException("the answer is lost for this test"));
        if (args is [string opened, ..] && targetMethod.Name == nameof(IEventLog.Open)
            && HeldOpening(opened) is { } hold)
            return Opened((Task<OpenedStream?>)answer!, hold.Until, hold.Reached);
        return args is [LogHandle held, ..] && targetMethod.Name == nameof(IEventLog.Append)
            ? Both((Task)answer!, Held(held.Id))
            : answer;
    }

    private static async Task<OpenedStream?> Opened(Task<OpenedStream?> opening, Task until,
        TaskCompletionSource reached)
    {
        var opened = await opening;
        reached.SetResult();
        await until;
        return opened;
    }

    private (Task Until, TaskCompletionSource Reached)? HeldOpening(string stream)
    {
        lock (_broken)
        {
            if (_opening is not { } hold || hold.Stream != stream) return null;
            _opening = null;
            return (hold.Until, hold.Reached);
        }
    }

    private static async Task Both(Task first, Task then)
    {
        await first;
        await then;
    }

    private Task Held(long id)
    {
        lock (_broken) return _held.GetValueOrDefault(id, Task.CompletedTask);
    }

    private bool Loses(long id)
    {
        lock (_broken)
        {
            var left = _lostReopenings.GetValueOrDefault(id);
            if (left > 0) _lostReopenings[id] = left - 1;
            return left > 0;
        }
    }

    private bool IsBroken(long id)
    {
        lock (_broken) return _broken.Contains(id);
    }
}
