using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>
/// The events of a publish request, cut out of its bytes: types and data lie in the body that was parsed, which must
/// stay as it is while they are in use. Disposing returns the list to its pool, not the body. Not thread-safe.
/// </summary>
public sealed class PublishBody : IDisposable
{
    /// <summary>How deep an event's data may be nested; deeper is INVALID_INPUT.</summary>
    public const int MaxDataDepth = 64;

    private NewEvent[] _events = ArrayPool<NewEvent>.Shared.Rent(64);
    private int _count;
    private CloudEventDraft? _draft;

    private PublishBody()
    {
    }

    /// <summary>The events in the order of the request; at least one.</summary>
    public ReadOnlyMemory<NewEvent> Events => _events.AsMemory(0, _count);

    /// <summary>
    /// Reads the whole body. Anything malformed is INVALID_INPUT with the member and the event's index; more events
    /// or larger ones than allowed are EVENT_TOO_LARGE. Writes into the body: raw CR and LF in data become spaces,
    /// and escapes in types are undone.
    /// </summary>
    public static bool TryParse(Memory<byte> body, PublishForm form, PublishLimits limits,
        [NotNullWhen(true)] out PublishBody? parsed, out Refusal refusal)
    {
        var result = new PublishBody();
        refusal = result.Parse(body, form, limits) ?? default;
        parsed = refusal.Detail is null ? result : null;
        if (parsed is null) result.Dispose();
        return parsed is not null;
    }

    /// <summary>
    /// Reads a CloudEvent in binary mode. Refusals and the body are as with <see cref="TryParse"/>; the event's size is
    /// that of what is kept: type, attributes, and data as it is in JSON.
    /// </summary>
    /// <param name="attributes">The headers that begin with <c>ce-</c>, without that, each value by itself.</param>
    /// <param name="contentType">The body's, as the request has it; null or empty for none.</param>
    /// <param name="body">The event's data.</param>
    /// <param name="limits">How large the event may be.</param>
    /// <param name="parsed">The one event.</param>
    /// <param name="refusal">Why there is none.</param>
    public static bool TryParseBinary(IEnumerable<KeyValuePair<string, string>> attributes, string? contentType,
        Memory<byte> body, PublishLimits limits, [NotNullWhen(true)] out PublishBody? parsed, out Refusal refusal)
    {
        parsed = null;
        refusal = TooLarge(0, body.Length, limits) ?? default;
        if (refusal.Detail is not null) return false;
        if (CloudEventMessage.Read(attributes, contentType, body, out var @event) is { } problem)
        {
            refusal = Invalid(problem);
            return false;
        }
        refusal = TooLarge(0, @event.Type.Length + @event.Data.Length + @event.CloudEvent.Length, limits) ?? default;
        if (refusal.Detail is not null) return false;
        parsed = new PublishBody();
        parsed._events[parsed._count++] = @event;
        return true;
    }

    /// <summary>Gives each event without a trace context of its own that of a <c>traceparent</c> header. A malformed
    /// one changes nothing, as W3C has it.</summary>
    public void WithTraceParent(ReadOnlySpan<char> header)
    {
        var trace = TraceParent.Of(header);
        if (trace.IsEmpty) return;
        foreach (ref var @event in _events.AsSpan(0, _count))
            if (@event.TraceParent.IsEmpty) @event = @event with { TraceParent = trace };
    }

    /// <summary>Gives event <em>i</em> the key <c>K/i</c> if it has none of its own. A refusal (INVALID_INPUT) if the
    /// key is empty, holds NUL, or a key made of it passes 200 characters; then nothing has changed.</summary>
    public Refusal? WithIdempotencyKey(string key)
    {
        var suffix = _count == 0 ? 0 : $"/{_count - 1}".Length;
        if (key.Length == 0 || EventReader.KeyLength(key) + suffix > EventReader.MaxKeyLength || key.Contains('\0'))
            return new Refusal(ErrorCode.InvalidInput, "Idempotency-Key must have 1 to "
                + $"{EventReader.MaxKeyLength - suffix} characters for {_count} events, and no NUL.");
        for (var i = 0; i < _count; i++)
            if (_events[i].Key is null) _events[i] = _events[i] with { Key = $"{key}/{i}" };
        return null;
    }

    /// <summary>Leaves the list to whoever may still read it: it does not return to its pool.</summary>
    public void Leave() => (_events, _count) = ([], 0);

    /// <summary>Returns the list to its pool.</summary>
    public void Dispose()
    {
        _events.AsSpan(0, _count).Clear();
        if (_events.Length > 0) ArrayPool<NewEvent>.Shared.Return(_events);
        (_events, _count) = ([], 0);
    }

    private Refusal? Parse(Memory<byte> body, PublishForm form, PublishLimits limits)
    {
        body = body[JsonText.MarkLength(body.Span)..];
        if (JsonText.Problem(body.Span) is { } problem) return Invalid(problem);
        if (form is PublishForm.CloudEvent or PublishForm.CloudEvents) _draft = new CloudEventDraft();
        try
        {
            var refusal = form == PublishForm.Ndjson ? ParseLines(body, limits) : ParseJson(body, form, limits);
            return refusal ?? (_count == 0 ? Invalid("The request holds no event.") : null);
        }
        catch (JsonException e)
        {
            return Invalid($"Event {_count}: malformed JSON. {e.Message}");
        }
    }

    private Refusal? ParseJson(Memory<byte> body, PublishForm form, PublishLimits limits)
    {
        // A body of nothing but white space is an empty one; the reader would call it malformed.
        if (!body.Span.ContainsAnyExcept(" \t\r\n"u8)) return null;
        var array = body.Span[body.Span.IndexOfAnyExcept(" \t\r\n"u8)] == '[' && form != PublishForm.CloudEvent;
        if (form == PublishForm.CloudEvents && !array) return Invalid("A batch of CloudEvents must be a JSON array.");
        var reader = Reader(body.Span, array ? 2 : 1);
        reader.Read();
        if (!array)
        {
            if (Add(ref reader, body, limits) is { } refusal) return refusal;
        }
        else
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                if (Add(ref reader, body, limits) is { } refusal) return refusal;
        }
        // Throws if anything follows.
        reader.Read();
        return null;
    }

    private Refusal? ParseLines(Memory<byte> body, PublishLimits limits)
    {
        while (!body.IsEmpty)
        {
            var end = body.Span.IndexOf((byte)'\n');
            var line = end < 0 ? body : body[..end];
            body = end < 0 ? default : body[(end + 1)..];
            if (!line.Span.ContainsAnyExcept(" \t\r"u8)) continue;
            var reader = Reader(line.Span, 1);
            reader.Read();
            if (Add(ref reader, line, limits) is { } refusal) return refusal;
            reader.Read();
        }
        return null;
    }

    private Refusal? Add(ref Utf8JsonReader reader, Memory<byte> text, PublishLimits limits)
    {
        if (_count == limits.Events)
            return new Refusal(ErrorCode.EventTooLarge, $"More than {limits.Events} events in one request.");
        if (_count == _events.Length) Grow();
        var start = reader.TokenStartIndex;
        var problem = _draft is null ? EventReader.Read(ref reader, text, out _events[_count])
            : CloudEventReader.Read(ref reader, text, _draft, out _events[_count]);
        if (problem is not null) return Invalid($"Event {_count}: {problem}");
        if (TooLarge(_count, reader.BytesConsumed - start, limits) is { } tooLarge) return tooLarge;
        _count++;
        return null;
    }

    private void Grow()
    {
        var larger = ArrayPool<NewEvent>.Shared.Rent(_count * 2);
        _events.AsSpan(0, _count).CopyTo(larger);
        _events.AsSpan(0, _count).Clear();
        ArrayPool<NewEvent>.Shared.Return(_events);
        _events = larger;
    }

    private static Utf8JsonReader Reader(ReadOnlySpan<byte> text, int around) =>
        new(text, new JsonReaderOptions { MaxDepth = MaxDataDepth + around });

    private static Refusal? TooLarge(int index, long bytes, PublishLimits limits) => bytes <= limits.EventBytes ? null
        : new Refusal(ErrorCode.EventTooLarge, $"Event {index} has {bytes} bytes, more than {limits.EventBytes}.");

    private static Refusal Invalid(string detail) => new(ErrorCode.InvalidInput, detail);
}
