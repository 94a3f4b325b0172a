namespace OrleansEvents.Streams;

/// <summary>Why something was not done, as a value: refusals are answers, not exceptions.</summary>
/// <param name="Code">What kind of refusal it is.</param>
/// <param name="Detail">One sentence for whoever reads the answer; names the member or limit concerned.</param>
/// <param name="RetryAfter">When to try again; null leaves it to the code's own default, if it has one.</param>
public readonly record struct Refusal(ErrorCode Code, string Detail, TimeSpan? RetryAfter = null);
