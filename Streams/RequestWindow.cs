using System.Globalization;

namespace OrleansEvents.Streams;

/// <summary>
/// What is remembered of durable requests without keys. Requests that came in one call and lie next to each other
/// have one mark together: it is written with their events, and storage keeps it as a key.
/// It has one holder, as the keys have.
/// </summary>
internal struct RequestWindow
{
    /// <summary>Requests that one mark stands for at most.</summary>
    private const int MostInMark = 256;

    // Most streams never see a request that may be repeated.
    private Dictionary<(ulong Publisher, long No), Mark>? _marks;
    private Queue<Mark>? _expiry;

    public readonly int Count => _marks?.Count ?? 0;

    /// <summary>When the oldest mark expires, monotonic; the end of time when there is none.</summary>
    public readonly long NextExpiryMs =>
        _expiry is not null && _expiry.TryPeek(out var next) ? next.ExpiresMs : long.MaxValue;

    /// <summary>The mark that stands for a request.</summary>
    public readonly Mark? Find(in RequestMark request, Instant now)
    {
        if (_marks is null) return null;
        for (var back = 0; back < MostInMark; back++)
            if (_marks.TryGetValue((request.Publisher, request.No - back), out var mark))
                return mark.More >= back && (mark.Pending is not null || mark.ExpiresMs > now.Ms) ? mark : null;
        return null;
    }

    /// <summary>Remembers a request that is being written, by the last mark of that commit if it goes on from
    /// there.</summary>
    public void Add(in RequestMark request, Cursor first, PendingBatch pending, List<Mark> commit, TimeSpan window,
        Instant now)
    {
        if (commit.Count > 0 && commit[^1].TryTake(request, first, MostInMark)) return;
        var ms = (long)window.TotalMilliseconds;
        var mark = new Mark(request.Publisher, request.No, request.Ahead, first, now.Ms + ms, now.UnixMs + ms)
        {
            Pending = pending,
        };
        Add(mark);
        commit.Add(mark);
    }

    public void Load(LogKey key, TimeSpan window, Instant now)
    {
        var left = Math.Clamp(key.ExpiresMs - now.UnixMs, 0, (long)window.TotalMilliseconds);
        if (Mark.Parse(key, now.Ms + left) is { } mark) Add(mark);
    }

    /// <summary>Forgets a mark whose events were not written after all.</summary>
    public readonly void Forget(Mark mark)
    {
        mark.Pending = null;
        if (_marks is not null && _marks.TryGetValue((mark.Publisher, mark.No), out var current) && current == mark)
            _marks.Remove((mark.Publisher, mark.No));
    }

    public readonly void Expire(Instant now)
    {
        while (_expiry is not null && _expiry.TryPeek(out var next) && next.ExpiresMs <= now.Ms && next.Pending is null)
            Forget(_expiry.Dequeue());
    }

    private void Add(Mark mark)
    {
        (_marks ??= [])[(mark.Publisher, mark.No)] = mark;
        (_expiry ??= []).Enqueue(mark);
    }

    /// <param name="publisher">Who passed the requests on.</param>
    /// <param name="no">The first one's number.</param>
    /// <param name="ahead">Events that go ahead of it in its call.</param>
    /// <param name="first">Its first event.</param>
    /// <param name="expiresMs">Monotonic.</param>
    /// <param name="expiresUnixMs">For storage.</param>
    internal sealed class Mark(ulong publisher, long no, int ahead, Cursor first, long expiresMs, long expiresUnixMs)
    {
        public ulong Publisher => publisher;

        public long No => no;

        public long ExpiresMs => expiresMs;

        /// <summary>Requests behind the first that it stands for too.</summary>
        public int More { get; private set; }

        /// <summary>The batch that is being written; null once its outcome is known.</summary>
        public PendingBatch? Pending { get; set; }

        /// <summary>Where a request that it stands for begins.</summary>
        public Cursor FirstOf(in RequestMark request) => request.No == no ? first : Behind(request);

        public bool TryTake(in RequestMark request, Cursor begins, int most)
        {
            if (request.Publisher != publisher || request.No != no + More + 1 || More + 1 == most
                || Behind(request) != begins) return false;
            More++;
            return true;
        }

        public LogKey ToKey() => new(
            More == 0 ? $"\u0001{publisher:x}-{no:x}" : $"\u0001{publisher:x}-{no:x}+{More:x}@{ahead:x}",
            default, first.Epoch, first.Seq, expiresUnixMs);

        /// <summary>What storage kept; null for what is no mark.</summary>
        public static Mark? Parse(LogKey key, long expiresMs)
        {
            var text = key.Key.AsSpan();
            var (dash, plus, at) = (text.IndexOf('-'), text.IndexOf('+'), text.IndexOf('@'));
            if (dash < 1 || plus > at || (plus >= 0 && plus < dash)) return null;
            var (more, ahead) = (0, 0);
            if (!ulong.TryParse(text[1..dash], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var publisher)
                || !Number(plus < 0 ? text[(dash + 1)..] : text[(dash + 1)..plus], out var no)
                || (plus >= 0 && !(Small(text[(plus + 1)..at], out more) && Small(text[(at + 1)..], out ahead))))
                return null;
            return new Mark(publisher, no, ahead, new Cursor(key.Epoch, key.Seq), expiresMs, key.ExpiresMs)
            {
                More = more,
            };
        }

        private Cursor Behind(in RequestMark request) => first with { Seq = first.Seq + request.Ahead - ahead };

        private static bool Number(ReadOnlySpan<char> text, out long number) =>
            long.TryParse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out number);

        private static bool Small(ReadOnlySpan<char> text, out int number) =>
            int.TryParse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out number);
    }
}
