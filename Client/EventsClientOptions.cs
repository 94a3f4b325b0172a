using System.Security.Cryptography;

namespace OrleansEvents.Client;

/// <summary>How patient a client is. The defaults suit a service and a desktop application alike.</summary>
public sealed record EventsClientOptions
{
    /// <summary>How often a request is tried again after the first attempt; 0 never tries again.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>The wait before the first retry of a request, and the first reconnect; it doubles each time.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The longest wait between two attempts. A request whose answer asks for a longer one (<c>Retry-After</c>) fails
    /// at once; a reader waits as long as it is asked to.
    /// </summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long one attempt of a request may take.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A reader that gets no frame for this long gives its connection up and makes a new one. The server's heartbeats
    /// come every 10 seconds.
    /// </summary>
    public TimeSpan LongestSilence { get; init; } = TimeSpan.FromSeconds(40);

    /// <summary>
    /// After so many failed attempts in a row a reader's state is <see cref="ConnectionState.Failed"/>.
    /// It goes on trying.
    /// </summary>
    public int FailedAfter { get; init; } = 5;

    /// <summary>
    /// How many events a reader of many streams remembers, to pass each on once though a new connection repeats some.
    /// It should hold what arrives in some six seconds.
    /// </summary>
    public int RememberedEvents { get; init; } = 10_000;

    /// <summary>A source of chance in [0, 1), for jitter.</summary>
    public Func<double> Chance { get; init; } =
        static () => RandomNumberGenerator.GetInt32(1 << 30) / (double)(1 << 30);
}
