using System.Reflection;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Api;

/// <summary>The server over any engine: reads its settings, builds the application and runs it to its end.</summary>
internal static class ApiHost
{
    public static string Version { get; } = typeof(ApiHost).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>The whole program. Returns its exit code: 0 after a graceful stop, 2 for a refused start.</summary>
    public static async Task<int> RunAsync(string[] args, ApiEngine? engine = null)
    {
        engine ??= ApiEngine.Embedded;
        try
        {
            var line = CommandLine.Parse(args, engine.ShortOptions);
            if (line.WantsHelp || line.WantsVersion || line.WantsLimits)
            {
                await Console.Out.WriteAsync(line.WantsHelp ? engine.Help + "\n"
                    : line.WantsVersion ? $"OrleansEvents {Version}\n" : LimitsPage.Make());
                return 0;
            }

            using var survived = FileSizeLimit.Survive();
            await using var running = await StartAsync(args, engine: engine);
            await Console.Out.WriteLineAsync(Banner.Text(running.Addresses, running.Options));
            await running.App.WaitForShutdownAsync();
            return 0;
        }
        catch (StartRefusedException refused)
        {
            var reason = refused.Message.ReplaceLineEndings(" ");
            await Console.Error.WriteLineAsync($"OrleansEvents cannot start: {reason}");
            return 2;
        }
    }

    /// <summary>Starts a server. Tests pass <c>--urls http://127.0.0.1:0</c> and find its port in the result.</summary>
    /// <param name="args">As on the command line.</param>
    /// <param name="configure">Adds to or replaces what the server registers; called last.</param>
    /// <param name="map">Maps further endpoints.</param>
    /// <param name="engine">What is behind the Api; the embedded engine when none is given.</param>
    /// <param name="cancel">Gives up starting.</param>
    public static async Task<RunningApi> StartAsync(
        string[] args, Action<IServiceCollection>? configure = null, Action<IEndpointRouteBuilder>? map = null,
        ApiEngine? engine = null, CancellationToken cancel = default)
    {
        engine ??= ApiEngine.Embedded;
        var settings = Settings.Load(CommandLine.Parse(args, engine.ShortOptions).Settings, AppContext.BaseDirectory,
            Directory.GetCurrentDirectory(), Environment.GetEnvironmentVariables(), engine.Defaults);
        var gate = new StartGate();
        var app = ApiBuilder.Build(settings, engine, gate, configure);
        map?.Invoke(app);
        var isMade = false;
        try
        {
            // Beforehand, because a host that could not make its services, the store perhaps, cannot stop either.
            await Make(app, settings.Options.Operations.StartTimeout);
            isMade = true;
            await app.StartAsync(cancel);
            gate.Open();
            Lifecycle.Follow(app, settings.Options);
            return new RunningApi(app, settings.Options);
        }
        catch (Exception failure)
        {
            await Abandon(app, isMade);
            if ((engine.Refuse(failure, settings.Options) ?? Refusals.Of(failure, settings.Options)) is { } refused)
                throw refused;
            throw;
        }
    }

    private static async Task Make(WebApplication app, TimeSpan limit)
    {
        var operations = app.Services.GetRequiredService<Operations>();
        var making = Task.Run(() => app.Services.GetServices<IHostedService>().ToArray());
        if (!await operations.EndsWithin(limit, making, "start"))
            throw new StartRefusedException($"Storage could not be opened within {limit.TotalSeconds} s");
        await making;
    }

    // What had started before the failure (the store, say) is stopped in order, so that nothing stays locked.
    private static async Task Abandon(WebApplication app, bool isMade)
    {
        try
        {
            if (isMade) await app.StopAsync();
        }
        catch (Exception failure) when (failure is ArgumentException or InvalidOperationException
            or OperationCanceledException or AggregateException)
        {
            // What could not start or not even be made may not be able to stop. The failure to tell of is the first.
        }
        finally
        {
            await Release(app);
        }
    }

    /// <summary>Disposes what the application holds. What waits for storage is left to the end of the process once it
    /// passes its limit: whoever stopped has said so.</summary>
    public static async Task Release(WebApplication app)
    {
        var (time, limit) = (app.Services.GetRequiredService<TimeProvider>(),
            app.Services.GetRequiredService<OperationsOptions>().Timeout);
        var disposing = app.DisposeAsync().AsTask();
        await disposing.WaitAsync(limit, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (disposing.IsCompleted) await disposing;
    }
}
