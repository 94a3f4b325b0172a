using System.Globalization;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Api.Sse;

/// <summary>A number that the log tells of from time to time. Whatever registers one is told of.</summary>
internal sealed record HealthFigure(string Name, Func<long> Total);

/// <summary>Logs at an interval how far each <see cref="HealthFigure"/> has grown; nothing when none has.</summary>
internal sealed partial class HealthLog(IEnumerable<HealthFigure> figures, SseOptions options, TimeProvider time,
    ILogger<HealthLog> logger) : BackgroundService
{
    private readonly HealthFigure[] _figures = [.. figures];
    private readonly Dictionary<string, long> _told = [];

    public static void AddTo(IServiceCollection services)
    {
        Add("pings sent", counts => counts.PingsSent);
        Add("pings failed", counts => counts.PingsFailed);
        Add("stale connections cleaned", counts => counts.StaleConnections);
        Add("slow connections closed", counts => counts.SlowClientDrops);
        Add("disconnects", counts => counts.Disconnects);
        Add("reconnects", counts => counts.Reconnects);
        Add("read errors", counts => counts.ReadErrors);
        Add("write errors", counts => counts.WriteErrors);
        services.AddHostedService<HealthLog>();

        void Add(string name, Func<ConnectionCounts, Tally> tally) => services.AddSingleton(provider =>
            new HealthFigure(name, () => tally(provider.GetRequiredService<ConnectionCounts>()).Total));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.HealthLog, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Tell();
        }
        catch (OperationCanceledException)
        {
            Tell();
        }
    }

    private void Tell()
    {
        var grown = new List<string>();
        foreach (var figure in _figures)
        {
            var (total, told) = (figure.Total(), _told.GetValueOrDefault(figure.Name));
            if (total > told) grown.Add(string.Create(CultureInfo.InvariantCulture, $"{total - told} {figure.Name}"));
            _told[figure.Name] = total;
        }
        if (grown.Count > 0) Counted(logger, string.Join(", ", grown), options.HealthLog.TotalSeconds);
    }

    [LoggerMessage(EventIds.HealthCounted, LogLevel.Information, "{Counts} in {Seconds} s at most")]
    private static partial void Counted(ILogger logger, string counts, double seconds);
}
