using System.Collections.Concurrent;
using OrleansEvents.Grains.Interfaces;

namespace OrleansEvents.Tests.Cluster;

/// <summary>Stands between owners and taps: a test may hold or lose the pushes of its
/// stream, and see renewals.</summary>
internal sealed class CallFaults : IOutgoingGrainCallFilter
{
    private readonly ConcurrentDictionary<string, Func<TapPush, Task<bool>>> _onPush = new();
    private readonly ConcurrentDictionary<string, int> _watches = new();
    private readonly ConcurrentDictionary<string, Func<Task>> _afterPublish = new();

    /// <summary>Asked before every push of the stream; false loses it, as if the tap had taken it.</summary>
    public void OnPush(string stream, Func<TapPush, Task<bool>> passes) => _onPush[stream] = passes;

    /// <summary>Called when a publish of the stream was carried out, before its answer comes back.</summary>
    public void AfterPublish(string stream, Func<Task> answers) => _afterPublish[stream] = answers;

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
        await context.Invoke();
        if (context.MethodName == nameof(IStreamGrain.PublishAll)
            && _afterPublish.TryGetValue(context.TargetId.Key.ToString()!, out var answers)) await answers();
        if (context.MethodName == nameof(IStreamGrain.Watch))
            _watches.AddOrUpdate(context.TargetId.Key.ToString()!, 1, static (_, count) => count + 1);
    }
}
