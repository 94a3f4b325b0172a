using Microsoft.Extensions.Logging.Abstractions;
using OrleansEvents.Api.Embedded;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using OrleansEvents.Tests.Streams;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>What the simulated world may do to the server.</summary>
[Flags]
internal enum Weather
{
    Calm = 0,
    Crashes = 1,
    Faults = 2,
}

/// <summary>
/// The embedded engine over a simulated log and clock: publishers, readers and subscribers act, storage answers,
/// fails or stalls, time passes, the process dies or restarts, all in an order that one seed decides.
/// </summary>
internal sealed class Simulation : IAsyncDisposable
{
    private static readonly string[] _streams = ["ordinary", "second", "durable"];
    private readonly Weather _weather;
    private readonly MemoryEventLog _disk = new();
    private readonly SimulatedTime _time = new();
    private readonly List<SimulatedPublisher> _publishers;
    private readonly List<SimulatedReader> _readers;
    private readonly List<SimulatedSubscriber> _subscribers;
    private readonly List<SimulatedConnection> _connections;
    private readonly Dictionary<object, Task> _acting = [];
    private Turns _turns = null!;
    private SimulatedLog _log = null!;
    private int _contents;

    public Simulation(int seed, Weather weather)
    {
        (Random, _weather) = (new Random(seed), weather);
        _publishers = [.. Enumerable.Range(0, 4).Select(_ => new SimulatedPublisher(this))];
        _readers = [.. Enumerable.Range(0, 6).Select(index => new SimulatedReader(_streams[index % 3], this))];
        _subscribers = [.. Enumerable.Range(0, 4).Select(index => new SimulatedSubscriber(_streams[index % 3],
            $"s{index}", (SubscriberMode)(index / 2), this))];
        // Two connections of each at most.
        _connections = [.. _subscribers.Concat(_subscribers).Select(each => new SimulatedConnection(each, this))];
        Replays = seed % 2 == 0;
        Start();
    }

    public Random Random { get; }

    public Truth Truth { get; } = new();

    public EmbeddedStreams Engine { get; private set; } = null!;

    public List<GapReason> Gaps { get; } = [];

    public int Refused { get; set; }

    public int Crashes { get; private set; }

    public int Restarts { get; private set; }

    /// <summary>Whether an operator puts dead letters back.</summary>
    public bool Replays { get; }

    public int Redelivered => _subscribers.Sum(each => each.Redelivered);

    public int Parked => _subscribers.Sum(each => each.Parked);

    public int Acknowledged => _subscribers.Sum(each => each.Acknowledged);

    public int NextContent() => ++_contents;

    public static bool IsDurable(string stream) => stream == "durable";

    public ValueTask DisposeAsync() => _disk.DisposeAsync();

    public void Saw(string stream, in EventSlot slot, string data)
    {
        Truth.Visible(stream, slot.Seq, data);
        if (slot.Critical) Truth.Critical(stream, slot.Seq);
        if (slot.Critical || IsDurable(stream)) Truth.MustStay(stream, slot.Seq);
    }

    public void Answered(string stream, long seq, in NewEvent @event, bool durable)
    {
        Truth.Visible(stream, seq, System.Text.Encoding.UTF8.GetString(@event.Data.Span));
        if (@event.Critical == true) Truth.Critical(stream, seq);
        if (durable) Truth.MustStay(stream, seq);
    }

    public void Run(int steps)
    {
        Configure();
        for (var step = 0; step < steps; step++) Step();
        Settle();
        Truth.CheckLines();
        foreach (var subscriber in _subscribers) Finish(subscriber.CheckOwed());
        foreach (var stream in _streams) CheckStored(stream);
    }

    private void Step()
    {
        switch (Random.Next(1000))
        {
            case < 2 when _weather.HasFlag(Weather.Crashes): Crash(); break;
            case < 4: Restart(); break;
            case < 10 when _weather.HasFlag(Weather.Faults): _log.IsDown = true; break;
            case < 60: _log.IsDown = false; break;
            case < 70 when _weather.HasFlag(Weather.Faults): _log.FailPercent = Random.Next(3) * 10; break;
            case < 100 when _weather != Weather.Calm || !_log.HasCalls: Pass(Random.Next(3000)); break;
            case < 250: Pass(Random.Next(_weather == Weather.Calm && _log.HasCalls ? 2 : 200)); break;
            case < 500: _log.ComeBack(); break;
            case < 800: _turns.RunOne(); break;
            case < 820: _readers[Random.Next(_readers.Count)].Leave(); break;
            case < 830: _connections[Random.Next(_connections.Count)].Leave(); break;
            case < 835 when Replays: Begin(_subscribers[Random.Next(_subscribers.Count)], who => who.Replay()); break;
            default: Act(); break;
        }
        foreach (var (who, task) in _acting.Where(each => each.Value.IsCompleted).ToList())
        {
            task.GetAwaiter().GetResult();
            _acting.Remove(who);
        }
    }

    private void Act()
    {
        var stream = _streams[Random.Next(_streams.Length)];
        switch (Random.Next(10))
        {
            case < 5: Begin(_publishers[Random.Next(_publishers.Count)], who => who.Publish(stream,
                Random.Next(3) == 0)); break;
            case < 8: Begin(_readers[Random.Next(_readers.Count)], who => who.Connect(1 + Random.Next(60))); break;
            default: Begin(_connections[Random.Next(_connections.Count)], who => who.Connect()); break;
        }
    }

    private void Begin<T>(T who, Func<T, Task> act)
        where T : class
    {
        if (!_acting.ContainsKey(who)) _acting[who] = act(who);
    }

    private void Start()
    {
        _turns = new Turns(Random);
        _log = new SimulatedLog(_disk, Random);
        SynchronizationContext.SetSynchronizationContext(_turns);
        var defaults = StreamSettings.Default with
        {
            Buffer = 12,
            IdleAfter = TimeSpan.FromSeconds(4),
            // So few that subscribers which are away have their events parked.
            Retention = new() { Count = 60, Age = null },
        };
        var circuit = new StoreCircuit(_log, TimeSpan.FromSeconds(1), _time, NullLogger.Instance);
        var context = new EngineContext(_log, circuit, new FeedMemory(), defaults, new StreamLimits(),
            SubscriberPolicy.Default, SubscriptionLimits.Default, _time,
            () => (ulong)Random.NextInt64(), NullLogger.Instance);
        Engine = new EmbeddedStreams(context, new EngineLimits(24 << 10, 100, 100, 100, 100));
    }

    private void Configure()
    {
        var configured = Engine.Configure("durable", "{\"durable\":true,\"buffer\":5}"u8.ToArray(),
            CancellationToken.None).AsTask();
        Finish(configured);
        Assert.Null(configured.Result.Refusal);
    }

    private void Crash()
    {
        Crashes++;
        _log.Crash();
        Forget();
    }

    private void Restart()
    {
        Restarts++;
        var (failing, down) = (_log.FailPercent, _log.IsDown);
        (_log.FailPercent, _log.IsDown) = (0, false);
        // Storage is known to be back, and nothing waits: then a stop is graceful.
        for (var i = 0; i < 40; i++) Pump(100);
        Finish(Engine.DisposeAsync().AsTask());
        Forget();
        (_log.FailPercent, _log.IsDown) = (failing, down);
    }

    private void Forget()
    {
        _time.Forget();
        _acting.Clear();
        Truth.Process++;
        Start();
    }

    private void Pass(int ms) => _time.Pass(TimeSpan.FromMilliseconds(ms));

    private void Pump(int ms)
    {
        for (var i = 0; i < 20 || _log.HasCalls; i++)
        {
            _log.ComeBack();
            while (_turns.RunOne())
            {
            }
        }
        Pass(ms);
    }

    private void Finish(Task task)
    {
        for (var i = 0; i < 1000 && !task.IsCompleted; i++) Pump(100);
        Assert.True(task.IsCompleted, "It never ends.");
        task.GetAwaiter().GetResult();
    }

    /// <summary>All is well again: everybody finishes, readers arrive at the head.</summary>
    private void Settle()
    {
        (_log.FailPercent, _log.IsDown) = (0, false);
        foreach (var reader in _readers) reader.Leave();
        foreach (var connection in _connections) connection.Leave();
        foreach (var task in _acting.Values) Finish(task);
        var connections = _readers.ConvertAll(reader => reader.Connect(int.MaxValue));
        for (var i = 0; i < 50 || !_readers.TrueForAll(each => each.IsWaiting); i++)
        {
            Assert.True(i < 1000, "A reader never arrives.");
            Pump(100);
            foreach (var failed in connections.Where(each => each.IsFaulted)) failed.GetAwaiter().GetResult();
        }
        foreach (var reader in _readers) Assert.True(reader.Seq >= Truth.LastDurableOf(reader.Stream));
    }

    private void CheckStored(string stream)
    {
        var opened = _disk.Open(stream, 1, create: true, 0).GetAwaiter().GetResult()!;
        using var run = _disk.Read(opened.Handle.Id, 0, int.MaxValue, int.MaxValue).GetAwaiter().GetResult();
        var stored = new Dictionary<long, string>();
        foreach (ref readonly var slot in run.Slots) stored.Add(slot.Seq, StreamUnderTest.DataOf(run.FrameOf(slot),
            slot));
        Truth.CheckStored(stream, stored, opened.TrimmedThrough);
    }
}
