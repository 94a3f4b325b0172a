using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrleansEvents.Silo.Transport;
using Xunit;

namespace OrleansEvents.Tests.Cluster.Transport;

public sealed class NodeTransportTests
{
    private static readonly CancellationToken s_never = CancellationToken.None;

    [Fact]
    public void Nodes_are_connected_by_it_in_place_of_Orleans_own()
    {
        var (ours, services) = (new object(), new ServiceCollection());
        services.AddKeyedSingleton<IConnectionFactory>(ours, (_, _) => throw new InvalidOperationException());
        services.AddKeyedSingleton<IConnectionListenerFactory>(ours, (_, _) => throw new InvalidOperationException());
        NodeTransport.Use(services);
        using var provider = services.BuildServiceProvider();
        Assert.IsType<NodeTransport>(provider.GetRequiredKeyedService<IConnectionFactory>(ours));
        Assert.IsType<NodeTransport>(provider.GetRequiredKeyedService<IConnectionListenerFactory>(ours));
    }

    [Fact]
    public void It_finds_what_a_silo_and_a_client_have_registered()
    {
        Assert.Equal(3, Of(host => host.UseOrleans(silo => NodeTransport.Use(silo.Services))));
        Assert.Equal(1, Of(host => host.UseOrleansClient(client => NodeTransport.Use(client.Services))));

        static int Of(Action<IHostApplicationBuilder> use)
        {
            var host = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
            use(host);
            return host.Services.Count(each =>
                each is { IsKeyedService: true, KeyedImplementationInstance: NodeTransport });
        }
    }

    [Fact]
    public async Task What_is_written_in_pieces_of_any_size_is_read_as_it_was()
    {
        var (near, far, listener) = await Connected();
        var sent = new byte[5 << 20];
        new Random(7).NextBytes(sent);
        var reading = Read(far, sent.Length);
        var random = new Random(8);
        for (var at = 0; at < sent.Length;)
        {
            var length = Math.Min(random.Next(1, 700_000), sent.Length - at);
            near.Transport.Output.Write(sent.AsSpan(at, length));
            await near.Transport.Output.FlushAsync(s_never);
            at += length;
        }
        Assert.Equal(sent, await reading.WaitAsync(TwoSilos.Limit, s_never));
        await End(near, far, listener);
    }

    [Fact]
    public async Task Who_reads_learns_that_the_other_side_has_gone()
    {
        var (near, far, listener) = await Connected();
        var closed = new TaskCompletionSource();
        near.ConnectionClosed.Register(closed.SetResult);
        var reading = far.Transport.Input.ReadAsync(s_never).AsTask();
        near.Abort();
        near.Abort();
        await closed.Task.WaitAsync(TwoSilos.Limit, s_never);
        try
        {
            Assert.True((await reading.WaitAsync(TwoSilos.Limit, s_never)).IsCompleted);
        }
        catch (IOException)
        {
        }
        catch (System.Net.Sockets.SocketException)
        {
        }
        await End(near, far, listener);
    }

    [Fact]
    public async Task A_flush_to_one_who_takes_nothing_can_be_given_up()
    {
        var (near, far, listener) = await Connected();
        near.Transport.Output.Write(new byte[64 << 20]);
        var flush = near.Transport.Output.FlushAsync(s_never).AsTask();
        Assert.False(flush.IsCompleted);
        near.Transport.Output.CancelPendingFlush();
        Assert.True((await flush.WaitAsync(TwoSilos.Limit, s_never)).IsCanceled);
        await End(near, far, listener);
    }

    [Fact]
    public async Task A_listener_that_is_ended_accepts_nobody()
    {
        var listener = await new NodeTransport().BindAsync(new IPEndPoint(IPAddress.Loopback, 0), s_never);
        var accepting = listener.AcceptAsync(s_never).AsTask();
        await listener.UnbindAsync(s_never);
        Assert.Null(await accepting.WaitAsync(TwoSilos.Limit, s_never));
        await listener.DisposeAsync();
    }

    private static async Task<(ConnectionContext Near, ConnectionContext Far, IConnectionListener)> Connected()
    {
        var transport = new NodeTransport();
        var listener = await transport.BindAsync(new IPEndPoint(IPAddress.Loopback, 0), s_never);
        var accepting = listener.AcceptAsync(s_never);
        var near = await transport.ConnectAsync(listener.EndPoint, s_never);
        return (near, (await accepting)!, listener);
    }

    private static async Task<byte[]> Read(ConnectionContext from, int length)
    {
        while (true)
        {
            var read = await from.Transport.Input.ReadAsync(s_never);
            if (read.Buffer.Length >= length) return read.Buffer.ToArray();
            from.Transport.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static async Task End(ConnectionContext near, ConnectionContext far, IConnectionListener listener)
    {
        await near.DisposeAsync();
        await far.DisposeAsync();
        await listener.DisposeAsync();
    }
}
