using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;

namespace OrleansEvents.Peer;

/// <summary>
/// One stream. An event is made a string once, shared by all connections. A full channel makes the publisher wait, so
/// nothing is lost.
/// </summary>
internal sealed class PeerStream(string name, TimeProvider time, EventTable? table) : IDisposable
{
    private static readonly BoundedChannelOptions Bounds = new(1024) { SingleReader = true, SingleWriter = true };

    private readonly SemaphoreSlim publishing = new(1, 1);
    private ImmutableList<Channel<SseItem<string>>> connections = [];
    private long head;

    public async IAsyncEnumerable<SseItem<string>> Read([EnumeratorCancellation] CancellationToken cancelled)
    {
        var connection = Channel.CreateBounded<SseItem<string>>(Bounds);
        ImmutableInterlocked.Update(ref connections, (all, one) => all.Add(one), connection);
        try
        {
            yield return new SseItem<string>("{}", "connected");
            await foreach (var item in connection.Reader.ReadAllAsync(cancelled))
                yield return item;
        }
        finally
        {
            connection.Writer.TryComplete();
            ImmutableInterlocked.Update(ref connections, (all, one) => all.Remove(one), connection);
        }
    }

    public async Task<PublishAnswer> Publish(List<NewEvent> events, CancellationToken cancelled)
    {
        await publishing.WaitAsync(cancelled);
        try
        {
            var first = head + 1;
            var items = new SseItem<string>[events.Count];
            for (var i = 0; i < items.Length; i++)
                items[i] = Encode(events[i], first + i);
            var durable = table is not null && events.Exists(e => e.Critical);
            if (durable)
                table!.Insert(name, first, items);
            head += items.Length;
            foreach (var connection in connections)
                await Send(connection.Writer, items, cancelled);
            return new PublishAnswer(name, first, head, Cursor(head), items.Length, 0, durable);
        }
        finally
        {
            publishing.Release();
        }
    }

    public void Dispose() => publishing.Dispose();

    private static async ValueTask Send(
        ChannelWriter<SseItem<string>> writer, SseItem<string>[] items, CancellationToken cancelled)
    {
        foreach (var item in items)
        {
            while (!writer.TryWrite(item))
            {
                if (!await writer.WaitToWriteAsync(cancelled))
                    return;
            }
        }
    }

    private SseItem<string> Encode(NewEvent e, long seq)
    {
        var id = Cursor(seq);
        var now = time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ");
        var stored = new StoredEvent(id, seq, name, e.Type, e.Version, now, e.Critical, e.Data);
        return new SseItem<string>(JsonSerializer.Serialize(stored, PeerJson.Default.StoredEvent)) { EventId = id };
    }

    private static string Cursor(long seq)
    {
        Span<byte> bytes = stackalloc byte[15];
        BinaryPrimitives.WriteInt64BigEndian(bytes[7..], seq);
        return Base64Url.EncodeToString(bytes);
    }
}
