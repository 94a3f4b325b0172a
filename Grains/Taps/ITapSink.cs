using OrleansEvents.Streams;

namespace OrleansEvents.Grains.Taps;

/// <summary>What a tap hands on to: one call at a time, in the line's order, each event once.</summary>
public interface ITapSink
{
    /// <summary>The owner says that events may be missing before what comes next.</summary>
    void Gap(Gap gap);

    /// <summary>The next events. The run is valid during the call only.</summary>
    void Events(EventRun run);
}
