using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>
/// Which events of a stream are critical when their publisher does not say: those of the listed types, some of them
/// only where members of their data have certain values. In JSON a rule is a type's name, or
/// <c>{"type":"server_status","where":{"status":["error","stopped"]}}</c>; it holds where every member named has
/// one of its values. Immutable.
/// </summary>
public sealed partial class CriticalRules : IEquatable<CriticalRules>
{
    /// <summary>Rules in a list at most; more are INVALID_INPUT.</summary>
    public const int MaxRules = 100;

    /// <summary>Members that one rule's <c>where</c> may name.</summary>
    public const int MaxMembers = 10;

    /// <summary>Values that one member may have.</summary>
    public const int MaxValues = 100;

    /// <summary>Characters of a member's name, of a string value and of a number's text at most.</summary>
    public const int MaxTextLength = 200;

    private const int MaxDepth = 256;

    private readonly Rule[] _rules;
    private readonly byte[] _json;

    private CriticalRules(Rule[] rules, byte[] json) => (_rules, _json) = (rules, json);

    /// <summary>No event is critical by its type.</summary>
    public static CriticalRules None { get; } = Parse("[]");

    /// <summary>A stream's rules until it is told others: <c>error_event</c>, and <c>server_status</c> of
    /// <c>error</c> or <c>stopped</c>.</summary>
    public static CriticalRules Default { get; } = Parse(
        """["error_event",{"type":"server_status","where":{"status":["error","stopped"]}}]""");

    /// <summary>Rules in the list.</summary>
    public int Count => _rules.Length;

    /// <summary>Whether an event is critical. Its type is canonical (<see cref="EventType"/>), its data one JSON value
    /// that was checked before. Allocates nothing; reads the data only if a rule for the type asks for it.</summary>
    public bool IsCritical(ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        foreach (var rule in _rules)
            if (type.SequenceEqual(rule.Type) && (rule.Members.Length == 0 || Holds(rule.Members, data)))
                return true;
        return false;
    }

    /// <summary>Writes the list as JSON.</summary>
    public void WriteTo(Utf8JsonWriter writer) => writer.WriteRawValue(_json, skipInputValidation: true);

    /// <summary>Whether both lists are written alike.</summary>
    public bool Equals(CriticalRules? other) => other is not null && _json.AsSpan().SequenceEqual(other._json);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CriticalRules);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(_json);
        return hash.ToHashCode();
    }

    private static bool Holds(Member[] members, ReadOnlySpan<byte> data)
    {
        var reader = new Utf8JsonReader(data, new JsonReaderOptions { MaxDepth = MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
        // A bit a member, assigned at each occurrence: as in most JSON parsers, the last of duplicates counts.
        uint holding = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var index = IndexOf(members, ref reader);
            reader.Read();
            if (index >= 0)
            {
                var bit = 1u << index;
                holding = members[index].Allows(ref reader) ? holding | bit : holding & ~bit;
            }
            reader.Skip();
        }
        return holding == (1u << members.Length) - 1;
    }

    private static int IndexOf(Member[] members, ref Utf8JsonReader reader)
    {
        for (var i = 0; i < members.Length; i++)
            if (reader.ValueTextEquals(members[i].Name)) return i;
        return -1;
    }

    private sealed record Rule(byte[] Type, Member[] Members);

    private sealed record Member(byte[] Name, Scalar[] Values)
    {
        public bool Allows(ref Utf8JsonReader reader)
        {
            foreach (var value in Values)
                if (value.Is(ref reader)) return true;
            return false;
        }
    }

    /// <summary>A JSON scalar; numbers are compared by value (1 is 1.0), others by their text.</summary>
    private sealed record Scalar(JsonTokenType Kind, byte[] Text, decimal? Number)
    {
        public bool Is(ref Utf8JsonReader reader)
        {
            if (reader.TokenType != Kind) return false;
            return Kind switch
            {
                JsonTokenType.String => reader.ValueTextEquals(Text),
                JsonTokenType.Number when Number is { } number => reader.TryGetDecimal(out var its) && its == number,
                JsonTokenType.Number => reader.ValueSpan.SequenceEqual(Text),
                _ => true,
            };
        }
    }
}
