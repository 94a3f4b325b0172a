using System.Collections.Concurrent;
using System.Reflection;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Storage;

namespace OrleansEvents.Tests.Http;

/// <summary>A log of which the named calls do not come back until the test lets them.</summary>
public class StallingLog : DispatchProxy
{
    private static readonly MethodInfo s_later = typeof(StallingLog).GetMethod(nameof(LaterOf),
        BindingFlags.NonPublic | BindingFlags.Static)!;

    private readonly ConcurrentDictionary<string, TaskCompletionSource> _stalled = new();
    private IEventLog _inner = null!;

    public IEventLog Log => (IEventLog)(object)this;

    public static StallingLog Over(IEventLog inner)
    {
        var log = (StallingLog)(object)Create<IWholeLog, StallingLog>();
        log._inner = inner;
        return log;
    }

    /// <summary>From now on these calls wait.</summary>
    public void Stall(params string[] calls)
    {
        foreach (var call in calls) _stalled[call] = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>All that waits goes on, and nothing stalls any more.</summary>
    public void GoOn()
    {
        foreach (var call in _stalled.Keys)
            if (_stalled.TryRemove(call, out var stalled)) stalled.SetResult();
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        object? Call() => targetMethod!.Invoke(_inner, args);
        if (!_stalled.TryGetValue(targetMethod!.Name, out var stalled)) return Call();
        if (targetMethod.ReturnType == typeof(ValueTask)) return new ValueTask(Later(stalled.Task, Call));
        if (targetMethod.ReturnType == typeof(Task)) return Later(stalled.Task, Call);
        return s_later.MakeGenericMethod(targetMethod.ReturnType.GetGenericArguments())
            .Invoke(null, [stalled.Task, (Func<object?>)Call]);
    }

    private static async Task Later(Task stalled, Func<object?> call)
    {
        await stalled;
        if (call() is Task done) await done;
    }

    private static async Task<T> LaterOf<T>(Task stalled, Func<object?> call)
    {
        await stalled;
        return await (Task<T>)call()!;
    }
}
