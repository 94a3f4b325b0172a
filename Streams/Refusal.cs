namespace OrleansEvents.Streams;

/// <summary>A refusal is a value: the code a client sees, what was wrong, and when trying again may help.</summary>
public readonly record struct Refusal(ErrorCode Code, string Detail, TimeSpan? RetryAfter = null);
