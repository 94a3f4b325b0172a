using System.Net;
using System.Net.ServerSentEvents;

namespace OrleansEvents.Client;

/// <summary>One frame with what belongs to the SSE framing around it.</summary>
internal readonly record struct ReceivedFrame(StreamFrame Frame, string? Id, TimeSpan? Retry);

/// <summary>
/// One open SSE response. A cut, a silence and the server's close all end it the same way: <see cref="NextAsync"/>
/// returns null, and <see cref="Failure"/> says why.
/// </summary>
internal sealed class ReadConnection : IAsyncDisposable
{
    private readonly SilenceWatch _watch;
    private readonly TimeSpan _longestSilence;
    private HttpResponseMessage? _answer;
    private IAsyncEnumerator<SseItem<StreamFrame>>? _frames;

    private ReadConnection(TimeSpan longestSilence, TimeProvider time, CancellationToken cancellationToken)
    {
        _longestSilence = longestSilence;
        _watch = new SilenceWatch(longestSilence, time, cancellationToken);
    }

    public EventsException? Failure { get; private set; }

    /// <summary>Whether the server answered that there is nothing more to come.</summary>
    public bool NoContent { get; private set; }

    public static async Task<ReadConnection> OpenAsync(
        HttpClient http, HttpRequestMessage request, TimeSpan longestSilence, TimeProvider time,
        CancellationToken cancellationToken)
    {
        var connection = new ReadConnection(longestSilence, time, cancellationToken);
        try
        {
            await connection.GuardedAsync(
                () => connection.SendAsync(http, request, time), cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask<ReceivedFrame?> NextAsync(CancellationToken cancellationToken)
    {
        if (_frames is null)
            return null;
        var step = _frames.MoveNextAsync();
        var more = step.IsCompletedSuccessfully
            ? step.Result
            : await GuardedAsync(step.AsTask, cancellationToken).ConfigureAwait(false);
        if (!more)
        {
            Failure ??= new EventsException(EventsException.NetworkError, "the server closed the connection");
            return null;
        }
        var item = _frames.Current;
        return new ReceivedFrame(item.Data, item.EventId, item.ReconnectionInterval);
    }

    public async ValueTask DisposeAsync()
    {
        if (_frames is not null)
            await _frames.DisposeAsync().ConfigureAwait(false);
        _answer?.Dispose();
        _watch.Dispose();
    }

    private async Task<bool> SendAsync(HttpClient http, HttpRequestMessage request, TimeProvider time)
    {
        _answer = await http
            .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _watch.Token).ConfigureAwait(false);
        if (_answer.StatusCode == HttpStatusCode.NoContent)
        {
            NoContent = true;
            return true;
        }
        if (!_answer.IsSuccessStatusCode)
            throw await Problem.OfAsync(_answer, time, _watch.Token).ConfigureAwait(false);
        if (_answer.Content.Headers.ContentType?.MediaType != "text/event-stream")
            throw new EventsException(
                "INVALID_INPUT", "the answer is not an event stream: is this an OrleansEvents server?",
                _answer.StatusCode);
        var body = await _answer.Content.ReadAsStreamAsync(_watch.Token).ConfigureAwait(false);
        _frames = SseParser.Create(body, FrameParser.Parse).EnumerateAsync(_watch.Token)
            .GetAsyncEnumerator(_watch.Token);
        return true;
    }

    /// <summary>Performs one wait on the network, under the watch; its failure is noted, not thrown.</summary>
    private async Task<bool> GuardedAsync(Func<Task<bool>> wait, CancellationToken cancellationToken)
    {
        _watch.Waiting();
        try
        {
            return await wait().ConfigureAwait(false);
        }
        catch (EventsException refusal)
        {
            Failure = refusal;
        }
        catch (HttpRequestException unreachable)
        {
            Failure = Problem.Of(unreachable);
        }
        catch (IOException cut)
        {
            Failure = Problem.Of(cut);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Failure = Problem.NoAnswer(_longestSilence);
        }
        finally
        {
            _watch.Arrived();
        }
        return false;
    }
}
