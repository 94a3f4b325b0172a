using System.Buffers;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace OrleansEvents.Streams;

/// <summary>
/// A CloudEvent (1.0) whose attributes come one after the other, in whatever mode it was sent; then it is an event.
/// Each attribute is checked as it comes, and written as the member it will be of the event's <c>cloudevent</c>. One
/// draft serves one event after the other.
/// </summary>
internal sealed class CloudEventDraft
{
    /// <summary>Attributes of an event at most, those of the specification among them.</summary>
    public const int MaxAttributes = 100;

    /// <summary>Characters of an attribute's name at most.</summary>
    public const int MaxNameLength = 100;

    private const int MaxVersion = 999;

    private static readonly byte[] s_null = "null"u8.ToArray();
    private static readonly SearchValues<byte> s_nameBytes =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789"u8);

    // As JSON: "name":value, one behind the other.
    private readonly ArrayBufferWriter<byte> _members = new(256);
    private readonly List<Attribute> _attributes = [];
    private readonly byte[] _type = new byte[2 * EventType.MaxBytes];
    private readonly byte[] _trace = new byte[TraceParent.Length];
    private int _typeLength;
    private bool _hasTrace;
    private string _source = "";
    private string _id = "";
    private int _version = 1;
    private bool? _critical;
    private DateTimeOffset? _time;

    /// <summary>Those of the specification in the order in which they are kept; extensions follow by name.</summary>
    private enum Known
    {
        SpecVersion,
        Id,
        Source,
        Type,
        Subject,
        Time,
        DataContentType,
        DataSchema,
        Extension,
    }

    private readonly record struct Attribute(Known Known, int Start, int Length, int NameLength);

    /// <summary>What the data is by its <c>datacontenttype</c>; null when that was not given.</summary>
    public DataForm? Form { get; private set; }

    /// <summary>Begins another event.</summary>
    public void Clear()
    {
        _members.ResetWrittenCount();
        _attributes.Clear();
        (_typeLength, _hasTrace, _version, _critical, _time, Form) = (0, false, 1, null, null, null);
    }

    /// <summary>What is wrong with an attribute's name, or null.</summary>
    public static string? NameProblem(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("data"u8)) return "\"data\" is no attribute's name.";
        return name.Length is >= 1 and <= MaxNameLength && !name.ContainsAnyExcept(s_nameBytes)
            ? null
            : $"\"{Shown(name)}\" is no attribute's name: it must have 1 to {MaxNameLength} characters of a-z 0-9.";
    }

    /// <summary>Takes an attribute's text, unescaped, under a name without a problem. Returns what is wrong, or
    /// null.</summary>
    public string? AddText(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        if (!IsAllowed(text))
            return $"\"{Shown(name)}\" must be Unicode text without control characters and noncharacters.";
        var known = KnownOf(name);
        if (Take(known, name, text) is { } rule) return $"\"{Shown(name)}\" must {rule}.";
        var room = BeginMember(name, 2 * text.Length + 2, out var length);
        room[length++] = (byte)'"';
        length += EventType.Escape(text, room[length..]);
        room[length++] = (byte)'"';
        return EndMember(known, name, length);
    }

    /// <summary>Takes <c>true</c>, <c>false</c> or a whole number, as JSON has it.</summary>
    public string? AddLiteral(ReadOnlySpan<byte> name, ReadOnlySpan<byte> literal)
    {
        var known = KnownOf(name);
        if (known != Known.Extension) return $"\"{Shown(name)}\" must be a string.";
        if (TakeExtension(name, literal) is { } rule) return $"\"{Shown(name)}\" must {rule}.";
        var room = BeginMember(name, literal.Length, out var length);
        literal.CopyTo(room[length..]);
        return EndMember(known, name, length + literal.Length);
    }

    /// <summary>Makes the event, of memory of its own but for the data. Returns what is wrong, or null.</summary>
    /// <param name="data">One JSON value without raw CR or LF; empty for none.</param>
    /// <param name="isBase64">Whether that is a string which holds bytes.</param>
    /// <param name="event">The event.</param>
    public string? Finish(ReadOnlyMemory<byte> data, bool isBase64, out NewEvent @event)
    {
        @event = default;
        _attributes.Sort(Compare);
        for (var i = 1; i < _attributes.Count; i++)
            if (NameOf(_attributes[i]).SequenceEqual(NameOf(_attributes[i - 1])))
                return $"\"{Shown(NameOf(_attributes[i]))}\" is given twice.";
        if (Missing() is { } missing) return $"\"{missing}\" is missing.";
        var cloudEvent = Members(isBase64);
        @event = new NewEvent(_type.AsSpan(0, _typeLength).ToArray(), _version, data.IsEmpty ? s_null : data, _critical,
            Key(), _time, cloudEvent, _hasTrace ? _trace.ToArray() : default);
        return null;
    }

    /// <summary>The identity that CloudEvents gives an event. The space is in no source, so that no two pairs make one
    /// key; what is too long for a key is known by its hash.</summary>
    private string Key()
    {
        var key = $"{_source} {_id}";
        return EventReader.KeyLength(key) <= EventReader.MaxKeyLength ? key
            : $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}";
    }

    private string? Missing()
    {
        ReadOnlySpan<(Known Known, string Name)> required =
        [
            (Known.SpecVersion, "specversion"), (Known.Id, "id"), (Known.Source, "source"), (Known.Type, "type"),
        ];
        foreach (var (known, name) in required)
            if (!_attributes.Exists(each => each.Known == known)) return name;
        return null;
    }

    /// <summary>The object of all attributes but the type, which is the event's own.</summary>
    private byte[] Members(bool isBase64)
    {
        var base64 = isBase64 ? ",\"data_base64\":true"u8 : default;
        var length = 1 + base64.Length;
        foreach (var attribute in _attributes)
            if (attribute.Known != Known.Type) length += attribute.Length + 1;
        var json = new byte[length];
        var at = 0;
        foreach (var attribute in _attributes)
        {
            if (attribute.Known == Known.Type) continue;
            json[at] = (byte)(at == 0 ? '{' : ',');
            _members.WrittenSpan.Slice(attribute.Start, attribute.Length).CopyTo(json.AsSpan(at + 1));
            at += attribute.Length + 1;
        }
        base64.CopyTo(json.AsSpan(at));
        json[^1] = (byte)'}';
        Debug.Assert(at + base64.Length == json.Length - 1, "the length was counted");
        return json;
    }

    /// <summary>Takes what an attribute says of the event. Returns what it must do and does not, or null.</summary>
    private string? Take(Known known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        switch (known)
        {
            case Known.SpecVersion:
                return text.SequenceEqual("1.0"u8) ? null : "be \"1.0\"";
            case Known.Id:
                _id = Encoding.UTF8.GetString(text);
                return text.IsEmpty ? "not be empty" : null;
            case Known.Source:
                _source = Encoding.UTF8.GetString(text);
                return UriText.IsReference(text) ? null : "be a URI reference, not empty";
            case Known.Type:
                if (!EventType.IsPrintable(text)) return $"have {EventType.Rule}";
                _typeLength = EventType.Escape(text, _type);
                return null;
            case Known.Subject:
                return text.IsEmpty ? "not be empty" : null;
            case Known.Time:
                if (!Rfc3339.TryParse(text, out var time)) return "be a time as RFC 3339 has it, with its offset";
                _time = time;
                return null;
            case Known.DataContentType:
                if (!MediaType.TryRead(text, out var form)) return "be a media type, as type/subtype";
                Form = form;
                return null;
            case Known.DataSchema:
                return UriText.IsAbsolute(text) ? null : "be a URI with its scheme";
            default:
                return TakeExtension(name, text);
        }
    }

    private string? TakeExtension(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        if (name.SequenceEqual("critical"u8))
        {
            _critical = text.SequenceEqual("true"u8);
            return _critical.Value || text.SequenceEqual("false"u8) ? null : "be true or false";
        }
        // Others give these names a meaning of their own: then it is theirs alone.
        if (name.SequenceEqual("version"u8)) _version = VersionOf(text);
        else if (name.SequenceEqual("traceparent"u8)) _hasTrace = TraceParent.TryWrite(text, _trace);
        return null;
    }

    private static int VersionOf(ReadOnlySpan<byte> text) =>
        !text.ContainsAnyExceptInRange((byte)'0', (byte)'9') && int.TryParse(text, out var version)
            && version is >= 1 and <= MaxVersion ? version : 1;

    private Span<byte> BeginMember(ReadOnlySpan<byte> name, int value, out int length)
    {
        var room = _members.GetSpan(name.Length + 3 + value);
        room[0] = (byte)'"';
        name.CopyTo(room[1..]);
        "\":"u8.CopyTo(room[(name.Length + 1)..]);
        length = name.Length + 3;
        return room;
    }

    private string? EndMember(Known known, ReadOnlySpan<byte> name, int length)
    {
        if (_attributes.Count == MaxAttributes) return $"more than {MaxAttributes} attributes.";
        _attributes.Add(new(known, _members.WrittenCount, length, name.Length));
        _members.Advance(length);
        return null;
    }

    private int Compare(Attribute one, Attribute other) => one.Known != other.Known
        ? one.Known.CompareTo(other.Known) : NameOf(one).SequenceCompareTo(NameOf(other));

    private ReadOnlySpan<byte> NameOf(Attribute attribute) =>
        _members.WrittenSpan.Slice(attribute.Start + 1, attribute.NameLength);

    private static Known KnownOf(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("specversion"u8)) return Known.SpecVersion;
        if (name.SequenceEqual("id"u8)) return Known.Id;
        if (name.SequenceEqual("source"u8)) return Known.Source;
        if (name.SequenceEqual("type"u8)) return Known.Type;
        if (name.SequenceEqual("subject"u8)) return Known.Subject;
        if (name.SequenceEqual("time"u8)) return Known.Time;
        if (name.SequenceEqual("datacontenttype"u8)) return Known.DataContentType;
        return name.SequenceEqual("dataschema"u8) ? Known.DataSchema : Known.Extension;
    }

    /// <summary>Whether CloudEvents allows every character of a string.</summary>
    private static bool IsAllowed(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IndexOfAnyExceptInRange((byte)' ', (byte)'~') < 0) return true;
        while (!utf8.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(utf8, out var rune, out var bytes) != OperationStatus.Done) return false;
            var value = rune.Value;
            if (value is < 0x20 or (>= 0x7F and <= 0x9F) or (>= 0xFDD0 and <= 0xFDEF) || (value & 0xFFFE) == 0xFFFE)
                return false;
            utf8 = utf8[bytes..];
        }
        return true;
    }

    private static string Shown(ReadOnlySpan<byte> utf8) =>
        StreamName.Shown(Encoding.UTF8.GetString(utf8[..Math.Min(utf8.Length, 4 * MaxNameLength)]));
}
