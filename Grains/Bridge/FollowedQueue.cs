using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Orleans.Streams;
using Orleans.Streams.Core;
using OrleansEvents.Grains.Interfaces;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Bridge;

/// <summary>
/// What one agent of the provider works on: the streams of one queue that are followed, each a feed on this node. It
/// tells the agent which of them have moved; what has come, followers read from the feed by their cursors. Nothing is
/// queued and nothing is cached, so there is nothing that can grow or be lost with the silo. Used in the agent's turns.
/// </summary>
internal sealed partial class FollowedQueue(BridgeOptions options, QueueId id, IGrainFactory grains,
    IEventStreams streams, IStreamSubscriptionManager subscriptions, TimeProvider time, ILogger<FollowedQueue> logger)
    : IQueueAdapterReceiver, IQueueCache
{
    private readonly Dictionary<string, FollowedFeed> _feeds = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<FollowedFeed> _moved = new();
    private readonly IFollowedStreams _list = grains.GetGrain<IFollowedStreams>(KeyOf(options, id));
    private string? _tag;
    private Task _looking = Task.CompletedTask;
    private long? _failedAt;
    private long _passedAt = time.GetTimestamp();
    private long _checkedAt = time.GetTimestamp();
    private bool _isOver;

    /// <summary>The key of the list of what is followed on a queue.</summary>
    public static string KeyOf(BridgeOptions options, QueueId queue) => $"{options.Provider}/{queue.GetNumericId()}";

    public Task Initialize(TimeSpan timeout) => Task.CompletedTask;

    public Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount)
    {
        if (_looking.IsCompleted && IsDue(_failedAt, options.ListEvery)) _looking = Look();
        var wakes = new List<IBatchContainer>();
        while (wakes.Count < maxCount && _moved.TryDequeue(out var feed))
            if (feed.Wake() is { } wake) wakes.Add(wake);
        return Task.FromResult<IList<IBatchContainer>>(wakes);
    }

    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages) => Task.CompletedTask;

    public async Task Shutdown(TimeSpan timeout)
    {
        _isOver = true;
        foreach (var feed in _feeds.Values) feed.Dispose();
        try
        {
            await Pass().WaitAsync(timeout, time);
        }
#pragma warning disable CA1031 // The silo stops: who comes without a position is given a few seconds again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            NotRead(logger, options.Provider, id, e.Message);
        }
    }

    public int GetMaxAddCount() => options.StreamsPerQueue;

    public void AddToCache(IList<IBatchContainer> messages)
    {
    }

    public bool TryPurgeFromCache(out IList<IBatchContainer> purgedItems)
    {
        purgedItems = [];
        return false;
    }

    public bool IsUnderPressure() => false;

    public IQueueCacheCursor GetCacheCursor(StreamId streamId, StreamSequenceToken? token)
    {
        var name = streamId.GetKeyAsString();
        // One that has just come, and is not listed here yet.
        if (!_feeds.TryGetValue(name, out var feed)) feed = Begin(new(name, default, 0));
        return feed.From(token as EventPosition);
    }

    private bool IsDue(long? last, TimeSpan every) => last is not { } at || time.GetElapsedTime(at) >= every;

    private FollowedFeed Begin(FollowedStream told)
    {
        var feed = new FollowedFeed(told, streams, time, _moved.Enqueue);
        _feeds.Add(told.Name, feed);
        feed.Start();
        return feed;
    }

    private async Task Look()
    {
        try
        {
            if (await _list.Read(_tag) is { } list && !_isOver) Take(list);
            if (IsDue(_passedAt, options.PassEvery))
            {
                _passedAt = time.GetTimestamp();
                await Pass();
            }
            if (!IsDue(_checkedAt, options.CheckEvery)) return;
            _checkedAt = time.GetTimestamp();
            foreach (var feed in _feeds.Values.ToList())
                if (!await IsWanted(feed)) await _list.Leave(feed.Name, feed.No);
        }
#pragma warning disable CA1031 // Whatever it is, it is looked again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failedAt = time.GetTimestamp();
            NotRead(logger, options.Provider, id, e.Message);
        }
    }

    private async Task<bool> IsWanted(FollowedFeed feed) =>
        (await subscriptions.GetSubscriptions(options.Provider, feed.StreamId)).Any();

    private void Take(FollowedList list)
    {
        var gone = new HashSet<string>(_feeds.Keys, StringComparer.Ordinal);
        foreach (var told in list.Streams)
        {
            gone.Remove(told.Name);
            if (_feeds.TryGetValue(told.Name, out var feed)) feed.No = told.No;
            else Begin(told);
        }
        foreach (var name in gone)
        {
            _feeds.Remove(name, out var feed);
            feed!.Dispose();
        }
        _tag = list.Tag;
    }

    private async Task Pass()
    {
        var passed = new Dictionary<string, Cursor>(StringComparer.Ordinal);
        foreach (var feed in _feeds.Values)
            if (feed.TakePassed() is { } position) passed.Add(feed.Name, position);
        if (passed.Count > 0) await _list.Passed(passed);
    }

    [LoggerMessage(EventIds.FollowedNotRead, LogLevel.Debug,
        "Orleans streams {Provider}: the list of queue {Queue} does not answer: {Reason}")]
    private static partial void NotRead(ILogger logger, string provider, QueueId queue, string reason);
}
