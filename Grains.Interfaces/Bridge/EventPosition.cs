using Orleans.Streams;
using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>
/// A position in an event stream as Orleans Streams hand it around: everything up to it has been passed. Whoever
/// resumes at one is given what comes behind it, or is told a gap. To keep a position, keep its <see cref="Id"/>.
/// </summary>
[GenerateSerializer, Immutable, Alias("OrleansEvents.EventPosition")]
public sealed class EventPosition : StreamSequenceToken
{
    [Id(0)]
    private readonly Cursor _cursor;

    [Id(1)]
    private readonly int _index;

    /// <summary>Behind a cursor, and behind the word of the stream's end if <paramref name="index"/> is 1.</summary>
    public EventPosition(Cursor cursor, int index = 0) => (_cursor, _index) = (cursor, index);

    /// <summary>The cursor's text: that of the event that was passed last.</summary>
    public string Id => _cursor.ToString();

    /// <summary>The cursor.</summary>
    public Cursor Cursor => _cursor;

    /// <inheritdoc/>
    public override long SequenceNumber
    {
        get => _cursor.Seq;
        protected set => throw new NotSupportedException();
    }

    /// <summary>1 when the stream's end has been told, otherwise 0.</summary>
    public override int EventIndex
    {
        get => _index;
        protected set => throw new NotSupportedException();
    }

    /// <summary>Behind the event with that id. Throws <see cref="FormatException"/>.</summary>
    public static EventPosition After(string id) => Cursor.TryParse(id, out var cursor)
        ? new(cursor)
        : throw new FormatException("Not the id of an event.");

    /// <inheritdoc/>
    public override bool Equals(StreamSequenceToken? other) =>
        other is EventPosition position && position._cursor == _cursor && position._index == _index;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is StreamSequenceToken other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_cursor, _index);

    /// <inheritdoc/>
    public override int CompareTo(StreamSequenceToken? other) => other is null
        ? 1
        : (SequenceNumber, EventIndex).CompareTo((other.SequenceNumber, other.EventIndex));
}
