using System.Threading.Channels;
using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>
/// Writes for the streams that are its share: takes everything that waits, one statement for all that is alike, then
/// answers. While a statement commits the next group gathers. The writes of one stream keep their order.
/// </summary>
internal sealed class PostgresWriter
{
    private const int MostTurns = 16;

    private readonly NpgsqlDataSource _source;
    private readonly PostgresOptions _options;
    private readonly Channel<PostgresWrite> _queue =
        Channel.CreateUnbounded<PostgresWrite>(new UnboundedChannelOptions { SingleReader = true });

    private readonly Task _ended;

    public PostgresWriter(NpgsqlDataSource source, PostgresOptions options)
    {
        (_source, _options) = (source, options);
        _ended = Run();
    }

    public Task Add(PostgresWrite write)
    {
        if (!_queue.Writer.TryWrite(write)) write.SetException(new LogUnavailableException("The log is closed."));
        return write.Task;
    }

    /// <summary>Commits what waits, and ends.</summary>
    public Task Stop()
    {
        _queue.Writer.TryComplete();
        return _ended;
    }

    private async Task Run()
    {
        var waiting = new List<PostgresWrite>();
        while (await _queue.Reader.WaitToReadAsync())
        {
            await Gather(waiting);
            while (waiting.Count > 0) await Commit(TakeAlike(waiting));
        }
    }

    /// <summary>Those who were just answered go first, as long as more of them come: what they write next is in this
    /// group and not in the next.</summary>
    private async Task Gather(List<PostgresWrite> waiting)
    {
        for (var (turn, before) = (0, -1); turn < MostTurns && waiting.Count > before; turn++)
        {
            before = waiting.Count;
            await Task.Yield();
            while (waiting.Count < _options.GroupWrites && _queue.Reader.TryRead(out var write)) waiting.Add(write);
        }
    }

    /// <summary>Takes the first write, and with it those of its kind that have no other of their stream before
    /// them.</summary>
    private List<PostgresWrite> TakeAlike(List<PostgresWrite> waiting)
    {
        var first = waiting[0];
        var group = new List<PostgresWrite>();
        var overtaken = new HashSet<long>();
        var (kept, bytes) = (0, 0L);
        for (var next = 0; next < waiting.Count; next++)
        {
            var write = waiting[next];
            var fits = group.Count == 0
                || (first.CanShare && write.GetType() == first.GetType() && bytes + write.Bytes <= _options.GroupBytes);
            if (fits && !overtaken.Contains(write.Handle.Id))
            {
                group.Add(write);
                bytes += write.Bytes;
                continue;
            }
            overtaken.Add(write.Handle.Id);
            waiting[kept++] = write;
        }
        waiting.RemoveRange(kept, waiting.Count - kept);
        return group;
    }

    private async Task Commit(List<PostgresWrite> group)
    {
        try
        {
            var refused = await group[0].Commit(_source, group);
            if (refused.Count == 0)
            {
                foreach (var write in group) write.SetResult();
            }
            else if (group.Count == 1)
            {
                refused[0].SetException(await refused[0].Refusal(_source));
            }
            else
            {
                var others = refused.ToHashSet();
                foreach (var write in group)
                    if (!others.Contains(write)) write.SetResult();
                // One by one: of a stream's writes only some may be at fault.
                foreach (var write in refused) await Commit([write]);
            }
        }
#pragma warning disable CA1031 // Whatever it is, the writer must go on and the callers must be told.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            if (group.Count == 1 || PostgresFailure.IsStorage(failure))
            {
                foreach (var write in group) write.TrySetException(PostgresFailure.Unavailable(failure));
                return;
            }
            // One write's own fault must not be its neighbours': halving finds it.
            var half = group.Count / 2;
            await Commit(group[..half]);
            await Commit(group[half..]);
        }
    }
}
