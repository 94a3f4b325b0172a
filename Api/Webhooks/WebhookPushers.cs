using OrleansEvents.Api.Metrics;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Webhooks;

/// <summary>
/// The subscribers that are pushed to at the moment, and what they share. The engine says who wants it; one pusher
/// runs for each until nothing is left to push. When the server stops, no new request begins, and those under way
/// have the drain time to finish.
/// </summary>
internal sealed partial class WebhookPushers : IHostedService, IDisposable
{
    private const int MostRemembered = 10_000;
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(1);

    private readonly ShutdownOptions _shutdown;
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Stream, string Subscriber), Running> _running = [];
    private readonly Dictionary<(string Stream, string Subscriber), Remembered> _failing = [];
    private readonly CancellationTokenSource _draining = new();
    private readonly CancellationTokenSource _cut;
    private readonly ServerMeter _meter;
    private long _sent;
    private long _failed;

    public WebhookPushers(IEventStreams streams, SystemEvents system, ServerOptions options, ServerMeter meter,
        TimeProvider time, IHostApplicationLifetime lifetime, ILogger<WebhookPushers> logger)
    {
        _meter = meter;
        (Streams, System, Options, Time, Logger) = (streams, system, options.Webhooks, time, logger);
        _shutdown = options.Shutdown;
        _cut = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        Sender = new WebhookSender(Options, time);
        Places = new SemaphoreSlim(Options.Concurrency);
        streams.PushWanted = Want;
        lifetime.ApplicationStopping.Register(Drain);
    }

    public static void AddTo(IServiceCollection services)
    {
        services.AddSingleton<WebhookPushers>();
        // Behind the engine: it stops before.
        services.AddHostedService(provider => provider.GetRequiredService<WebhookPushers>());
        services.AddSingleton(provider => Figure("pushes", provider, pushers => pushers._sent));
        services.AddSingleton(provider => Figure("pushes failed", provider, pushers => pushers._failed));

        static HealthFigure Figure(string name, IServiceProvider provider, Func<WebhookPushers, long> total) =>
            new(name, () => total(provider.GetRequiredService<WebhookPushers>()));
    }

    public IEventStreams Streams { get; }

    public SystemEvents System { get; }

    public WebhooksOptions Options { get; }

    public TimeProvider Time { get; }

    public ILogger Logger { get; }

    public WebhookSender Sender { get; }

    /// <summary>One for each request that may be under way; who waits is served in order.</summary>
    public SemaphoreSlim Places { get; }

    /// <summary>Is cancelled when no new request is to begin.</summary>
    public CancellationToken Draining => _draining.Token;

    /// <summary>Is cancelled when those under way are to end.</summary>
    public CancellationToken Cut => _cut.Token;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Drain();
        Task[] pushers;
        lock (_gate) pushers = [.. _running.Values.Select(each => each.Task)];
        try
        {
            await Task.WhenAll(pushers).WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Storage does not answer: what is not reported is tried again by the next process.
        }
    }

    /// <summary>Counts what came of a request, and the bytes of its body.</summary>
    public void Count(in WebhookResult result, int bytes)
    {
        Interlocked.Increment(ref _sent);
        _meter.DeliveredEvents.Add(2, 1);
        _meter.DeliveredBytes.Add(2, bytes);
        if (result.Outcome != WebhookOutcome.Acknowledged) Interlocked.Increment(ref _failed);
    }

    public void Dispose()
    {
        Sender.Dispose();
        Places.Dispose();
        _draining.Dispose();
        _cut.Dispose();
    }

    private void Drain()
    {
        if (_draining.IsCancellationRequested) return;
        _cut.CancelAfter(_shutdown.Drain);
        _draining.Cancel();
    }

    private void Want(string stream, string subscriber)
    {
        lock (_gate)
        {
            if (_draining.IsCancellationRequested) return;
            if (_running.TryGetValue((stream, subscriber), out var running))
            {
                running.IsWantedAgain = true;
                return;
            }
            running = new Running();
            _running.Add((stream, subscriber), running);
            running.Task = Push(stream, subscriber, running);
        }
    }

    private async Task Push(string stream, string subscriber, Running running)
    {
        // The caller has the stream's turn.
        await Task.Yield();
        do
        {
            try
            {
                lock (_gate) running.IsWantedAgain = false;
                if (await PushOnce(stream, subscriber)) continue;
                await Pause();
            }
            catch (Exception fault)
            {
                PusherFailed(Logger, fault, subscriber, stream);
                await Pause();
            }
            lock (_gate) running.IsWantedAgain = true;
        }
        while (GoesOn(stream, subscriber, running));
    }

    private bool GoesOn(string stream, string subscriber, Running running)
    {
        lock (_gate)
        {
            if (running.IsWantedAgain && !_draining.IsCancellationRequested) return true;
            _running.Remove((stream, subscriber));
            return false;
        }
    }

    /// <summary>False: it could not begin, and is to try again.</summary>
    private async Task<bool> PushOnce(string stream, string subscriber)
    {
        var begun = await Streams.Subscribe(stream, subscriber, SessionKind.Push);
        if (begun.Refusal is { } refusal)
            return refusal.Code is ErrorCode.NotFound or ErrorCode.InvalidInput;
        if (begun.Value is not { } session) return true;
        using (session)
        {
            if (session.Policy.Webhook is not { } webhook) return true;
            var made = WebhookTarget.Create(webhook, Options);
            if (made.Refusal is { } unfit) return await Disable(stream, subscriber, webhook, unfit.Detail);
            var circuit = Recall((stream, subscriber), webhook, session.Failing);
            await new WebhookPusher(this, stream, subscriber, session, made.Value!, circuit).Run();
            Remember((stream, subscriber), webhook, circuit);
        }
        return true;
    }

    /// <summary>A webhook that was taken under other settings than these.</summary>
    private async Task<bool> Disable(string stream, string subscriber, WebhookPolicy webhook, string reason)
    {
        if ((await Streams.DisablePush(stream, subscriber, reason)).Refusal is not null) return false;
        Refused(Logger, subscriber, stream, reason);
        await System.WebhookDisabled(stream, subscriber, webhook.Url.Split('?')[0], Time.GetUtcNow(), reason);
        return true;
    }

    /// <summary>How it was when this process last pushed to it, else since when it fails by what was saved.</summary>
    private WebhookCircuit Recall((string, string) key, WebhookPolicy webhook, PushFailing? saved)
    {
        lock (_gate)
        {
            return _failing.Remove(key, out var remembered) && remembered.Webhook == webhook
                ? remembered.Circuit : new WebhookCircuit(Options, saved, Instant.Of(Time));
        }
    }

    /// <summary>An endpoint that fails is still failing when its next event comes.</summary>
    private void Remember((string, string) key, WebhookPolicy webhook, WebhookCircuit circuit)
    {
        if (circuit.IsHealthy || circuit.IsDisabled) return;
        lock (_gate)
            if (_failing.Count < MostRemembered) _failing[key] = new Remembered(webhook, circuit);
    }

    private async Task Pause()
    {
        try
        {
            await Task.Delay(s_retry, Time, Draining);
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    [LoggerMessage(EventIds.PusherFailed, LogLevel.Error,
        "Pushing to subscriber {Subscriber} of stream {Stream} failed")]
    private static partial void PusherFailed(ILogger logger, Exception fault, string subscriber, string stream);

    [LoggerMessage(EventIds.WebhookRefused, LogLevel.Error,
        "The webhook of subscriber {Subscriber} of stream {Stream} is disabled: {Reason}")]
    private static partial void Refused(ILogger logger, string subscriber, string stream, string reason);

    private sealed class Running
    {
        public Task Task { get; set; } = Task.CompletedTask;

        /// <summary>The engine has asked since the last session began.</summary>
        public bool IsWantedAgain { get; set; }
    }

    private sealed record Remembered(WebhookPolicy Webhook, WebhookCircuit Circuit);
}
