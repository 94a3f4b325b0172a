using Xunit;

namespace OrleansEvents.Tests.Crash;

/// <summary>One after the other: these tests start a process each, and would only slow each other down.</summary>
[CollectionDefinition("Processes")]
public sealed class Processes;
