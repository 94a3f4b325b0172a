using System.Collections.Concurrent;
using OrleansEvents.Grains.Interfaces;

namespace OrleansEvents.Tests.Cluster;

/// <summary>What becomes of a call.</summary>
internal enum Fate
{
    Passes,

    /// <summary>It is carried out once more, after a while.</summary>
    ComesTwice,

    /// <summary>It is carried out after a while.</summary>
    IsLate,

    /// <summary>It never arrives.</summary>
    IsLost,

    /// <summary>It is carried out, and nobody hears of it.</summary>
    AnswerIsLost,
}

/// <summary>Stands between owners, taps, subscribers and nodes: a test may hold or lose the pushes of its stream, see
/// renewals, and decide what becomes of every call of its subscribers.</summary>
internal sealed class CallFaults : IOutgoingGrainCallFilter
{
    private static readonly AsyncLocal<bool> s_isAgain = new();
    private readonly ConcurrentDictionary<string, Func<TapPush, Task<bool>>> _onPush = new();
    private readonly ConcurrentDictionary<string, int> _watches = new();
    private readonly ConcurrentDictionary<string, Func<string, Fate>> _onCall = new();
    private readonly ConcurrentDictionary<string, Func<string, Task>> _onOwner = new();
    private readonly ConcurrentDictionary<string, Func<Task>> _afterPublish = new();
    private readonly ConcurrentDictionary<string, Func<Task>> _afterWatch = new();

    /// <summary>Asked before every push of the stream; false loses it, as if the tap had taken it.</summary>
    public void OnPush(string stream, Func<TapPush, Task<bool>> passes) => _onPush[stream] = passes;

    /// <summary>Asked before every call between the stream's owner, its subscribers and their nodes.</summary>
    public void OnCall(string stream, Func<string, Fate> fate) => _onCall[stream] = fate;

    /// <summary>Called before every call of the stream's owner, with its name; what that throws the call fails
    /// of.</summary>
    public void OnOwner(string stream, Func<string, Task> calling) => _onOwner[stream] = calling;

    /// <summary>Called when a publish of the stream was carried out, before its answer comes back.</summary>
    public void AfterPublish(string stream, Func<Task> answers) => _afterPublish[stream] = answers;

    /// <summary>Called when a renewal was answered, before its answer comes back.</summary>
    public void AfterWatch(string stream, Func<Task> answers) => _afterWatch[stream] = answers;

    /// <summary>How often the stream's owner has answered a renewal.</summary>
    public int Renewals(string stream) => _watches.GetValueOrDefault(stream);

    public async Task Invoke(IOutgoingGrainCallContext context)
    {
        if (context.Request.GetArgumentCount() == 1 && context.Request.GetArgument(0) is TapPush push
            && context.SourceId is { } owner && _onPush.TryGetValue(owner.Key.ToString()!, out var passes)
            && !await passes(push))
        {
            context.Result = null;
            return;
        }
        if (context.InterfaceMethod.DeclaringType == typeof(IStreamGrain)
            && _onOwner.TryGetValue(context.TargetId.Key.ToString()!, out var calling))
            await calling(context.MethodName);
        if (FateOf(context) is not Fate.Passes and var fate) await Invoke(context, fate);
        else await context.Invoke();
        if (context.MethodName == nameof(IStreamGrain.PublishAll)
            && _afterPublish.TryGetValue(context.TargetId.Key.ToString()!, out var answers)) await answers();
        if (context.MethodName != nameof(IStreamGrain.Watch)) return;
        if (_afterWatch.TryGetValue(context.TargetId.Key.ToString()!, out var watched)) await watched();
        _watches.AddOrUpdate(context.TargetId.Key.ToString()!, 1, static (_, count) => count + 1);
    }

    private Fate FateOf(IOutgoingGrainCallContext context)
    {
        if (_onCall.IsEmpty || s_isAgain.Value) return Fate.Passes;
        var method = context.InterfaceMethod.DeclaringType;
        string? stream = null;
        if (method == typeof(ISubscriberGrain)) stream = context.TargetId.Key.ToString()!.Split('/')[0];
        else if (method == typeof(IOwingStreamGrain)) stream = context.TargetId.Key.ToString();
        else if (method == typeof(ISessionListener)) stream = context.SourceId?.Key.ToString()!.Split('/')[0];
        return stream is not null && _onCall.TryGetValue(stream, out var fate)
            ? fate(context.MethodName) : Fate.Passes;
    }

    private static async Task Invoke(IOutgoingGrainCallContext context, Fate fate)
    {
        var lost = new TimeoutException("lost by this test");
        switch (fate)
        {
            case Fate.IsLost:
                await Task.Delay(5);
                throw lost;
            case Fate.AnswerIsLost:
                await context.Invoke();
                throw lost;
            case Fate.IsLate:
                await Task.Delay(40);
                await context.Invoke();
                break;
            case Fate.ComesTwice:
                _ = Again(context);
                await context.Invoke();
                break;
        }
    }

    private static async Task Again(IOutgoingGrainCallContext context)
    {
        var arguments = new object?[context.Request.GetArgumentCount()];
        for (var i = 0; i < arguments.Length; i++) arguments[i] = context.Request.GetArgument(i);
        var (method, grain) = (context.InterfaceMethod, context.Grain);
        await Task.Delay(30);
        s_isAgain.Value = true;
        await ((Task)method.Invoke(grain, arguments)!).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
