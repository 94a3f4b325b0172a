using Microsoft.AspNetCore.Connections;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Api.Http;

/// <summary>Connections that are open, the web server's and those that were taken from it: beyond
/// <see cref="LimitsOptions.Connections"/> further ones are closed at once.</summary>
internal sealed class OpenConnections(LimitsOptions limits)
{
    private int _count;

    /// <summary>A connection middleware.</summary>
    public async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            if (Enter() <= limits.Connections) await next(connection);
            else connection.Abort();
        }
        finally
        {
            Leave();
        }
    }

    public int Enter() => Interlocked.Increment(ref _count);

    public void Leave() => Interlocked.Decrement(ref _count);
}
