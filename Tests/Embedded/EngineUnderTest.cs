using Microsoft.Extensions.Logging.Abstractions;
using OrleansEvents.Api.Embedded;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>An engine whose storage answers, and whose time passes, when the test says so.</summary>
internal sealed class EngineUnderTest : IDisposable
{
    private readonly SynchronizationContext? _before = SynchronizationContext.Current;
    private readonly Random _random = new(7);
    private readonly MemoryEventLog _disk = new();
    private readonly StreamSettings _defaults;
    private Turns _turns = null!;

    public EngineUnderTest(StreamSettings? defaults = null)
    {
        _defaults = defaults ?? StreamSettings.Default;
        Start();
    }

    public SimulatedTime Time { get; } = new();

    public SimulatedLog Log { get; private set; } = null!;

    public EngineContext Context { get; private set; } = null!;

    public EmbeddedStreams Engine { get; private set; } = null!;

    public void Dispose() => SynchronizationContext.SetSynchronizationContext(_before);

    /// <summary>The process dies, and another begins.</summary>
    public void Crash()
    {
        Time.Forget();
        Start();
    }

    /// <summary>Runs what can run without storage.</summary>
    public void Turn()
    {
        while (_turns.RunOne())
        {
        }
    }

    /// <summary>Storage answers all that it was asked.</summary>
    public void Settle()
    {
        Turn();
        while (Log.HasCalls)
        {
            Log.ComeBack();
            Turn();
        }
    }

    public void Pass(double seconds)
    {
        for (var left = seconds; left > 0; left -= 0.25)
        {
            Time.Pass(TimeSpan.FromSeconds(Math.Min(left, 0.25)));
            Settle();
        }
    }

    public T Finish<T>(Task<T> task)
    {
        Settle();
        return Answered(task);
    }

    public static T Answered<T>(Task<T> task)
    {
        Assert.True(task.IsCompleted, "It waits for something that does not come.");
        return task.GetAwaiter().GetResult();
    }

    public T Finish<T>(ValueTask<T> task) => Finish(task.AsTask());

    public Task<Outcome<Published>> BeginPublish(string stream, string data, bool critical = false, string? key = null)
    {
        var publish = Engine.Publish(stream, new[] { StreamUnderTest.Event(data, critical, key) }, null,
            CancellationToken.None).AsTask();
        Turn();
        return publish;
    }

    public Outcome<Published> Publish(string stream, string data, bool critical = false) =>
        Finish(BeginPublish(stream, data, critical));

    public FeedLease Follow(string stream) => Finish(Engine.Follow(stream)).Value!;

    public Task<Outcome<IReadOnlyList<Acknowledged>>> BeginAcknowledge(string stream, string subscriber,
        params Cursor[] ids)
    {
        var request = new AckRequest([.. ids.Select(id => id.ToString())], null);
        var acknowledge = Engine.Acknowledge(stream, subscriber, request, CancellationToken.None).AsTask();
        Turn();
        return acknowledge;
    }

    public List<long> Pending(string stream, string subscriber)
    {
        using var events = Finish(Engine.Pending(stream, subscriber, 0, 100)).Value!.Events;
        return [.. Enumerable.Range(0, events.Count).Select(index => events.Slots[index].Seq)];
    }

    private void Start()
    {
        _turns = new Turns(_random);
        SynchronizationContext.SetSynchronizationContext(_turns);
        Log = new SimulatedLog(_disk, _random);
        var circuit = new StoreCircuit(Log, TimeSpan.FromSeconds(1), Time, NullLogger.Instance);
        Context = new EngineContext(Log, circuit, new FeedMemory(), _defaults, new StreamLimits(),
            SubscriberPolicy.Default, SubscriptionLimits.Default, Time,
            () => (ulong)_random.NextInt64(), NullLogger.Instance);
        Engine = new EmbeddedStreams(Context, new EngineLimits(1 << 20, 100, 100, 100, 100));
    }
}
