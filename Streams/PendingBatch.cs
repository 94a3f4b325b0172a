namespace OrleansEvents.Streams;

/// <summary>A request's events that are numbered but not yet visible. Its outcome is true once they are in the
/// buffer and, where durable, on storage; false when the batch was made void.</summary>
public sealed class PendingBatch
{
    private readonly TaskCompletionSource<bool> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<LogKey>? _keys;
    private List<(string Key, KeyWindow.Entry Entry)>? _entries;

    /// <summary>Completes with the outcome.</summary>
    public Task<bool> Outcome => _outcome.Task;

    // Most have none.
    internal IReadOnlyList<LogKey> Keys => _keys ?? (IReadOnlyList<LogKey>)[];

    internal IReadOnlyList<(string Key, KeyWindow.Entry Entry)> Entries =>
        _entries ?? (IReadOnlyList<(string, KeyWindow.Entry)>)[];

    internal void Add(string key, KeyWindow.Entry entry) => (_entries ??= []).Add((key, entry));

    internal void Add(LogKey key) => (_keys ??= []).Add(key);

    internal void Complete(bool visible) => _outcome.TrySetResult(visible);
}

/// <summary>Batches of one kind next to each other that wait to become visible, with their encoded events.</summary>
internal sealed class StagedRun(bool durable, long stagedAtMs)
{
    public bool Durable { get; } = durable;

    public long StagedAtMs { get; } = stagedAtMs;

    public EventRun Events { get; } = new();

    public List<PendingBatch> Batches { get; } = [];

    /// <summary>Of the requests among them that can be repeated without keys.</summary>
    public List<RequestWindow.Mark> Marks { get; } = [];

    /// <summary>Whether it is being written, or was: nothing may be added.</summary>
    public bool Taken { get; set; }

    public bool Committed { get; set; }
}

/// <summary>What the host is to write in one commit; it reports to <see cref="EventStream.CommitDone"/>.</summary>
public sealed class CommitWork
{
    internal CommitWork(IReadOnlyList<StagedRun> staged)
    {
        Staged = staged;
        Runs = [.. staged.Select(run => run.Events)];
        Keys = [.. staged.SelectMany(run => run.Batches).SelectMany(batch => batch.Keys),
            .. staged.SelectMany(run => run.Marks).Select(mark => mark.ToKey())];
    }

    /// <summary>The runs to append, in order.</summary>
    public IReadOnlyList<EventRun> Runs { get; }

    /// <summary>The keys of their events, and what must be remembered of requests without keys.</summary>
    public IReadOnlyList<LogKey> Keys { get; }

    internal IReadOnlyList<StagedRun> Staged { get; }
}
