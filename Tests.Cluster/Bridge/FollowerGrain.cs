using Orleans.Runtime;
using Orleans.Streams;
using OrleansEvents.Grains.Bridge;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Tests.Cluster.Bridge;

/// <summary>Follows and publishes as a test says. Its key is the event stream's name, and one more token behind a
/// slash.</summary>
[Alias("OrleansEvents.Tests.IFollowerGrain")]
public interface IFollowerGrain : IGrainWithStringKey
{
    [Alias("Follow")]
    Task Follow(string? after);

    [Alias("Publish")]
    Task Publish(GrainEvent item);

    [Alias("FailNext")]
    Task FailNext(int times);

    [Alias("SlowDown")]
    Task SlowDown(TimeSpan each);

    [Alias("Seen")]
    Task<GrainEvent[]> Seen();

    /// <summary>How often it was told that something could not be delivered.</summary>
    [Alias("Errors")]
    Task<int> Errors();
}

internal sealed class FollowerGrain : Grain, IFollowerGrain, IAsyncObserver<GrainEvent>
{
    private readonly List<GrainEvent> _seen = [];
    private int _fails;
    private int _errors;
    private TimeSpan _each;

    private IAsyncStream<GrainEvent> Stream => this.GetStreamProvider(new BridgeOptions().Provider)
        .GetStream<GrainEvent>(StreamId.Create(BridgeOptions.Namespace, this.GetPrimaryKeyString().Split('/')[0]));

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        foreach (var handle in await Stream.GetAllSubscriptionHandles()) await handle.ResumeAsync(this);
    }

    public async Task Follow(string? after) =>
        await Stream.SubscribeAsync(this, after is null ? null : EventPosition.After(after));

    public Task Publish(GrainEvent item) => Stream.OnNextAsync(item);

    public Task FailNext(int times)
    {
        _fails = times;
        return Task.CompletedTask;
    }

    public Task SlowDown(TimeSpan each)
    {
        _each = each;
        return Task.CompletedTask;
    }

    public Task<GrainEvent[]> Seen() => Task.FromResult(_seen.ToArray());

    public Task<int> Errors() => Task.FromResult(_errors);

    public async Task OnNextAsync(GrainEvent item, StreamSequenceToken? token = null)
    {
        if (_each > TimeSpan.Zero) await Task.Delay(_each);
        if (_fails > 0)
        {
            _fails--;
            throw new InvalidOperationException("as the test wants it");
        }
        _seen.Add(item);
    }

    public Task OnErrorAsync(Exception ex)
    {
        _errors++;
        return Task.CompletedTask;
    }
}

internal static class FollowerGrains
{
    /// <summary>The grain that follows a stream, placed on a silo: the first call there makes it.</summary>
    public static async Task<IFollowerGrain> FollowerOn(this TwoSilos cluster, int silo, string stream)
    {
        for (var i = 0; ; i++)
        {
            var grain = cluster.Through(silo).GetGrain<IFollowerGrain>($"{stream}/{i}");
            await grain.Seen();
            if (cluster.AddressOf(silo).Equals(await cluster.WhereIs(grain))) return grain;
        }
    }

    public static async Task<List<int>> Numbers(this IFollowerGrain grain) =>
        [.. (await grain.Seen()).Where(item => item.IsEvent).Select(item => item.DataAs<Number>()!.N)];

    public static async Task<Gap[]> Gaps(this IFollowerGrain grain) =>
        [.. (await grain.Seen()).Where(item => item.Gap is not null).Select(item => item.Gap!.Value)];

    public static Task Has(this IFollowerGrain grain, int number) =>
        Given.Until(async () => (await grain.Numbers()).Contains(number));

    public static GrainEvent Note(int n, bool? critical = null, string? key = null) =>
        GrainEvent.Of("note", new Number(n), critical, key);

    public sealed record Number(int N);
}
