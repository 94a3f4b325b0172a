using System.Globalization;
using System.Security.Cryptography;

namespace OrleansEvents.Client;

/// <summary>
/// Frames of one or more streams, for <c>await foreach</c>. It holds one connection, makes a new one when that is lost,
/// and goes on behind the last frame that it passed on; it ends when the stream has ended.
/// Errors that waiting cannot mend (bad input, no permission) are thrown as <see cref="EventsException"/>.
/// </summary>
/// <remarks>
/// States: Idle → Connected at each <see cref="ConnectedFrame"/>; a lost connection or a failed attempt →
/// Reconnecting, or Failed from the fifth failed attempt in a row; the end of the stream → Ended; enumeration given up
/// or refused → Idle. Everything runs on the turn of whoever enumerates, <see cref="StateChanged"/> too.
/// </remarks>
public sealed class EventReader : IAsyncEnumerable<StreamFrame>
{
    private readonly HttpClient _http;
    private readonly Addresses _addresses;
    private readonly IReadOnlyList<string> _streams;
    private readonly bool _many;
    private readonly EventsClientOptions _patience;
    private readonly ReadOptions _options;
    private readonly TimeProvider _time;
    private readonly SeenEvents? _seen;
    private readonly HashSet<string>? _open;
    private TimeSpan? _askedDelay;
    private int _waits;
    private int _failedAttempts;
    private int _enumerating;

    internal EventReader(
        HttpClient http, Addresses addresses, IReadOnlyList<string> streams, bool many, ReadOptions options,
        EventsClientOptions patience, TimeProvider time)
    {
        _http = http;
        _addresses = addresses;
        _streams = streams;
        _many = many;
        _patience = patience;
        _time = time;
        // One name over all connections, so that the server counts reconnects.
        _options = options.ClientId is null ? options with { ClientId = NewClientId() } : options;
        _seen = many ? new SeenEvents(patience.RememberedEvents) : null;
        // A pattern never ends: a stream that it matches may be made later.
        _open = streams.Any(IsPattern) ? null : [.. streams];
    }

    /// <summary>Told on each step of the connection, on the turn of whoever enumerates.</summary>
    public event Action<ConnectionChange>? StateChanged;

    /// <summary>Where the connection stands.</summary>
    public ConnectionState State { get; private set; }

    /// <summary>
    /// The cursor behind what was passed on so far: give it as <see cref="ReadOptions.After"/> to go on from here in
    /// another process. Null before the first frame that has one.
    /// </summary>
    public string? Position { get; private set; }

    /// <summary>Whether the end of the stream ends the reading; if not, a new connection follows.</summary>
    internal Func<CancellationToken, ValueTask<bool>> IsOver { get; set; } = static _ => new(true);

    /// <summary>Begins to read, or goes on from <see cref="Position"/>. One enumeration at a time.</summary>
    public async IAsyncEnumerator<StreamFrame> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _enumerating, 1) == 1)
            throw new InvalidOperationException("This reader is being enumerated already.");
        try
        {
            while (State != ConnectionState.Ended)
            {
                var connection = await ConnectAsync(cancellationToken).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false))
                {
                    while (await connection.NextAsync(cancellationToken).ConfigureAwait(false) is { } received)
                    {
                        if (!Accept(received))
                            continue;
                        if (received.Frame is EndFrame && !await IsOver(cancellationToken).ConfigureAwait(false))
                            continue;
                        yield return received.Frame;
                        if (HasEnded(received.Frame))
                            yield break;
                    }
                }
                await AfterLossAsync(connection, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _enumerating = 0;
            if (State != ConnectionState.Ended)
                State = ConnectionState.Idle;
        }
    }

    internal static bool IsPattern(string stream) => stream.AsSpan().ContainsAny('*', '>');

    private async Task<ReadConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _addresses.Read(_streams, _many, _options));
        request.Headers.Accept.Add(new("text/event-stream"));
        if (Position is { } position)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", position);
        return await ReadConnection
            .OpenAsync(_http, request, _patience.LongestSilence, _time, cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>Notes what the frame says about the connection; false for what was passed on before.</summary>
    private bool Accept(ReceivedFrame received)
    {
        if (received.Retry is { } asked)
            _askedDelay = asked;
        if (received.Frame is ConnectedFrame)
        {
            _waits = 0;
            _failedAttempts = 0;
            Change(new ConnectionChange(ConnectionState.Connected));
        }
        if (!string.IsNullOrEmpty(received.Id))
            Position = received.Id;
        return _seen is null || received.Frame switch
        {
            EventFrame { Event: var arrived } => _seen.Add(arrived),
            EndFrame end => _seen.Add(end),
            _ => true,
        };
    }

    private bool HasEnded(StreamFrame frame)
    {
        if (frame is not EndFrame end || _open is null)
            return false;
        _open.Remove(end.Stream ?? _streams[0]);
        if (_many && _open.Count > 0)
            return false;
        Change(new ConnectionChange(ConnectionState.Ended));
        return true;
    }

    private async Task AfterLossAsync(ReadConnection connection, CancellationToken cancellationToken)
    {
        if (connection.NoContent)
        {
            Change(new ConnectionChange(ConnectionState.Ended));
            return;
        }
        var reason = connection.Failure!;
        if (!reason.MayMend)
            throw reason;
        _waits++;
        if (State != ConnectionState.Connected)
            _failedAttempts++;
        var delay = Delay(reason);
        var failed = _failedAttempts >= _patience.FailedAfter;
        Change(new ConnectionChange(
            failed ? ConnectionState.Failed : ConnectionState.Reconnecting, _failedAttempts, delay, reason));
        await Task.Delay(delay, _time, cancellationToken).ConfigureAwait(false);
    }

    private TimeSpan Delay(EventsException reason)
    {
        var first = _askedDelay ?? _patience.FirstDelay;
        var asked = reason.RetryAfter > _askedDelay ? reason.RetryAfter : _askedDelay ?? reason.RetryAfter;
        return Backoff.Delay(_waits, first, _patience.LongestDelay, asked, _patience.Chance);
    }

    private void Change(ConnectionChange change)
    {
        State = change.State;
        StateChanged?.Invoke(change);
    }

    private static string NewClientId() =>
        "net-" + RandomNumberGenerator.GetInt32(int.MaxValue).ToString("x8", CultureInfo.InvariantCulture);
}
