namespace OrleansEvents.Client;

/// <summary>Where a reader's connection stands.</summary>
public enum ConnectionState
{
    /// <summary>Not connected yet, or no longer.</summary>
    Idle,

    /// <summary>Events and heartbeats arrive.</summary>
    Connected,

    /// <summary>The connection was lost, or could not be made; a next attempt follows by itself.</summary>
    Reconnecting,

    /// <summary>Several attempts in a row failed. Attempts go on.</summary>
    Failed,

    /// <summary>The stream has ended: there will be no more.</summary>
    Ended,
}

/// <summary>A step of a reader's connection: each lost connection and each failed attempt is one.</summary>
/// <param name="State">The state from now on.</param>
/// <param name="Attempt">How many attempts in a row have failed; 0 when a standing connection was just lost.</param>
/// <param name="RetryIn">When the next attempt follows; null when there is none to come.</param>
/// <param name="Reason">Why the connection was lost or could not be made.</param>
public sealed record ConnectionChange(
    ConnectionState State, int Attempt = 0, TimeSpan? RetryIn = null, EventsException? Reason = null);
