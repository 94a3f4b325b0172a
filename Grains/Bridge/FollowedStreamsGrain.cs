using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>The list of what is followed, in grain storage: a few writes when followers come and go, and one every few
/// seconds while they move.</summary>
internal sealed class FollowedStreamsGrain(
    [PersistentState("followed")] IPersistentState<FollowedState> state, BridgeOptions options)
    : Grain, IFollowedStreams
{
    private FollowedList _told = new([], "");
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Dictionary<string, FollowedEntry> Streams => state.State.Streams;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _told = Told();
        return Task.CompletedTask;
    }

    public async Task<Outcome<bool>> Follow(string stream)
    {
        if (!Streams.TryGetValue(stream, out var entry))
        {
            if (Streams.Count >= options.StreamsPerQueue)
                return new Refusal(OrleansEvents.Streams.ErrorCode.RateLimited,
                    $"{options.StreamsPerQueue} streams of this queue are followed, its most.");
            var owner = await GrainFactory.GetGrain<IStreamGrain>(stream).Describe();
            if (owner.Refusal is { Code: not OrleansEvents.Streams.ErrorCode.NotFound } refused) return refused;
            Streams.Add(stream, entry = new() { Since = (owner.Value?.Head ?? default).ToString() });
        }
        entry.No++;
        await Save();
        return true;
    }

    public async Task<FollowedList?> Read(string? tag)
    {
        if (tag == _told.Tag) await Task.WhenAny(_changed.Task, Task.Delay(options.ListEvery));
        return tag == _told.Tag ? null : _told;
    }

    public async Task Passed(Dictionary<string, Cursor> positions)
    {
        foreach (var (stream, position) in positions)
            if (Streams.TryGetValue(stream, out var entry)) entry.Since = position.ToString();
        await Save();
    }

    public async Task Leave(string stream, long no)
    {
        if (!Streams.TryGetValue(stream, out var entry) || entry.No != no) return;
        Streams.Remove(stream);
        await Save();
    }

    private FollowedList Told() => new([.. Streams.Select(Told)], state.Etag ?? "");

    private static FollowedStream Told(KeyValuePair<string, FollowedEntry> each) => new(each.Key,
        Cursor.TryParse(each.Value.Since, out var since) ? since : default, each.Value.No);

    private async Task Save()
    {
        try
        {
            await state.WriteStateAsync();
            _told = Told();
        }
        catch
        {
            // What is in memory is not what is stored: the next activation reads that.
            DeactivateOnIdle();
            throw;
        }
        finally
        {
            _changed.TrySetResult();
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}

/// <summary>What is stored of it.</summary>
[GenerateSerializer, Alias("OrleansEvents.FollowedState")]
internal sealed class FollowedState
{
    /// <summary>By name.</summary>
    [Id(0)]
    public Dictionary<string, FollowedEntry> Streams { get; set; } = new(StringComparer.Ordinal);
}

/// <summary>A followed stream in storage.</summary>
[GenerateSerializer, Alias("OrleansEvents.FollowedEntry")]
internal sealed class FollowedEntry
{
    /// <summary>A cursor's text.</summary>
    [Id(0)]
    public string Since { get; set; } = "";

    /// <summary>How often somebody came.</summary>
    [Id(1)]
    public long No { get; set; }
}
