using System.Collections.Concurrent;

namespace OrleansEvents.Peer;

internal sealed class PeerStreams(TimeProvider time, IServiceProvider services)
{
    private readonly ConcurrentDictionary<string, PeerStream> streams = new();
    private readonly EventTable? table = services.GetService<EventTable>();

    public PeerStream Get(string name) => streams.GetOrAdd(name, n => new PeerStream(n, time, table));
}
