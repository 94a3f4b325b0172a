using Xunit;

namespace OrleansEvents.Tests.Http;

/// <summary>One server over memory for all tests of a class, which use streams of their own.</summary>
public sealed class SharedServer : IAsyncLifetime
{
    internal TestServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await TestServer.Start();

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}

internal static class Eventually
{
    /// <summary>Looks again and again, for as long as a busy machine may need.</summary>
    public static async Task True(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!await condition())
            await Task.Delay(20, limit.Token);
    }
}
