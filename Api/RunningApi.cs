using OrleansEvents.Api.Options;

namespace OrleansEvents.Api;

/// <summary>A started server. Disposing it stops it gracefully.</summary>
internal sealed class RunningApi(WebApplication app, ServerOptions options) : IAsyncDisposable
{
    public WebApplication App => app;
    public ServerOptions Options => options;

    /// <summary>Where it listens, ports resolved.</summary>
    public IReadOnlyList<Uri> Addresses { get; } = [.. app.Urls.Select(url => new Uri(url))];

    public Uri Address => Addresses[0];

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await ApiHost.Release(app);
    }
}
