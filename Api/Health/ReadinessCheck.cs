namespace OrleansEvents.Api.Health;

/// <summary>Something that must work for this server to serve requests. Asked at each <c>/readyz</c>.</summary>
/// <param name="Name">As the answer names it, for example <c>store</c>.</param>
/// <param name="Failing">Null while it works, else the reason in a few words. Never blocks.</param>
internal sealed record ReadinessCheck(string Name, Func<string?> Failing)
{
    public const string ServerName = "server";

    public static ReadinessCheck OfServer(IServiceProvider services)
    {
        var stopping = services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        return new ReadinessCheck(ServerName, () => stopping.IsCancellationRequested ? "draining" : null);
    }
}
