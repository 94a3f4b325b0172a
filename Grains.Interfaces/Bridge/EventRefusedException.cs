using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Interfaces;

/// <summary>What was published to an Orleans stream, or the wish to follow one, was refused: the codes are those of the
/// contract.</summary>
[GenerateSerializer, Alias("OrleansEvents.EventRefusedException")]
public sealed class EventRefusedException : Exception
{
    /// <summary>A refusal for who awaits a task.</summary>
    public EventRefusedException(Refusal refusal)
        : base($"{refusal.Code}: {refusal.Detail}") => Refusal = refusal;

    /// <summary>Why. After <c>STORE_UNAVAILABLE</c> the events may be there all the same: publish again with the same
    /// keys.</summary>
    [Id(0)]
    public Refusal Refusal { get; init; }
}
