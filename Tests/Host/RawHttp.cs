using System.Net.Sockets;
using System.Text;

namespace OrleansEvents.Tests.Host;

/// <summary>Bytes to and from a server, for what no client would send.</summary>
internal static class RawHttp
{
    public static async Task<TcpClient> Connect(Uri address)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(address.Host, address.Port);
        return client;
    }

    /// <summary>Sends each part in a write of its own, and reads until the server closes.</summary>
    public static async Task<string> Exchange(Uri address, params byte[][] parts)
    {
        using var client = await Connect(address);
        var stream = client.GetStream();
        foreach (var part in parts)
            await stream.WriteAsync(part);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(30));
    }
}
