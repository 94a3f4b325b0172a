using System.Runtime.CompilerServices;
using System.Text.Json;

namespace OrleansEvents.Client;

/// <summary>
/// A named subscriber of a stream: how it is delivered to, what it is owed, and what was parked for it. Making one of
/// these asks the server nothing. What is sent through it may be sent twice, so it is tried again by itself; all of it
/// throws <see cref="EventsException"/> when the server refuses or could not be reached in all attempts.
/// </summary>
public sealed class Subscriber
{
    private readonly Requests _requests;
    private readonly Addresses _addresses;

    internal Subscriber(Requests requests, Addresses addresses, string stream, string name)
    {
        _requests = requests;
        _addresses = addresses;
        Stream = stream;
        Name = name;
    }

    /// <summary>The stream it reads.</summary>
    public string Stream { get; }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Registers it, or changes what is given; it does not expire from then on.</summary>
    public async Task<SubscriberDescription> ConfigureAsync(
        SubscriberPolicy policy, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return SubscriberDescription.Read(
            await SendAsync(HttpMethod.Put, "", JsonBody.Of(policy.Write), cancellationToken).ConfigureAwait(false));
    }

    /// <summary>What the server says of it.</summary>
    public async Task<SubscriberDescription> DescribeAsync(CancellationToken cancellationToken = default) =>
        SubscriberDescription.Read(
            await SendAsync(HttpMethod.Get, "", null, cancellationToken).ConfigureAwait(false));

    /// <summary>Removes it. For an hour no read registers it again; one that is not there stays so.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await SendAsync(HttpMethod.Delete, "", null, cancellationToken).ConfigureAwait(false);
        }
        catch (EventsException away) when (away.Code == "NOT_FOUND")
        {
            // Never made, or removed by an attempt of this call whose answer was lost.
        }
    }

    /// <summary>Acknowledges events by their ids, 10,000 at most: they are not delivered to it again.</summary>
    /// <returns>What became of each id; durable once this returns.</returns>
    public Task<IReadOnlyList<Acknowledgement>> AcknowledgeAsync(
        IReadOnlyCollection<string> ids, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return SettleAsync("/ack", Ids(ids), cancellationToken);
    }

    /// <summary>Acknowledges without looking at what became of each: that costs as much as sending them.</summary>
    internal Task StoreAsync(IReadOnlyCollection<EventId> ids, CancellationToken cancellationToken) =>
        _requests.SendUnreadAsync(
            HttpMethod.Post, _addresses.Subscriber(Stream, Name, "/ack"), Ids(ids), JsonBody.ContentType,
            cancellationToken);

    private static ReadOnlyMemory<byte> Ids(IReadOnlyCollection<EventId> ids) => JsonBody.Of(json =>
    {
        json.WriteStartArray("ids");
        foreach (var id in ids)
            id.WriteTo(json);
        json.WriteEndArray();
    });

    /// <summary>Acknowledges everything that was delivered to it up to a cursor.</summary>
    /// <returns>What became of each event; durable once this returns.</returns>
    public Task<IReadOnlyList<Acknowledgement>> AcknowledgeUpToAsync(
        string cursor, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(cursor);
        return SettleAsync("/ack", JsonBody.Of(json => json.WriteString("upTo"u8, cursor)), cancellationToken);
    }

    /// <summary>Rejects events by their ids: they are delivered again, until their attempts are used up.</summary>
    /// <param name="ids">The events, 10,000 at most.</param>
    /// <param name="delay">When the next delivery comes, a day at most; null: by the policy's back-off.</param>
    /// <param name="cancellationToken">Gives the call up.</param>
    /// <returns>What became of each id.</returns>
    public Task<IReadOnlyList<Acknowledgement>> RejectAsync(
        IReadOnlyCollection<string> ids, TimeSpan? delay = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (delay is { } asked)
            CheckDelay(asked);
        return SettleAsync(
            "/nack",
            JsonBody.Of(json =>
            {
                json.WriteTexts("ids", ids);
                if (delay is { } wait)
                    json.WriteNumber("delay"u8, wait.TotalSeconds);
            }),
            cancellationToken);
    }

    /// <summary>What it is owed, oldest first.</summary>
    public IAsyncEnumerable<OwedEvent> PendingAsync(CancellationToken cancellationToken = default) =>
        PagesAsync("/pending", cancellationToken);

    /// <summary>What was parked for it, oldest first.</summary>
    public IAsyncEnumerable<OwedEvent> DeadLettersAsync(CancellationToken cancellationToken = default) =>
        PagesAsync("/dead-letters", cancellationToken);

    /// <summary>Puts dead letters back among what it is owed, with all attempts before them.</summary>
    /// <param name="ids">Some of them; null: all.</param>
    /// <param name="cancellationToken">Gives the call up.</param>
    /// <returns>How many were put back.</returns>
    public async Task<long> ReplayAsync(
        IReadOnlyCollection<string>? ids = null, CancellationToken cancellationToken = default)
    {
        var body = JsonBody.Of(json =>
        {
            if (ids is not null)
                json.WriteTexts("ids", ids);
        });
        var answer = await SendAsync(HttpMethod.Post, "/dead-letters/replay", body, cancellationToken)
            .ConfigureAwait(false);
        return answer.Number("replayed") ?? 0;
    }

    /// <summary>Removes all its dead letters for good.</summary>
    /// <returns>How many were removed by the attempt that was answered.</returns>
    public async Task<long> PurgeAsync(CancellationToken cancellationToken = default)
    {
        var answer = await SendAsync(HttpMethod.Delete, "/dead-letters", null, cancellationToken).ConfigureAwait(false);
        return answer.Number("purged") ?? 0;
    }

    internal static void CheckDelay(TimeSpan delay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, TimeSpan.FromDays(1));
    }

    private static ReadOnlyMemory<byte> Ids(IReadOnlyCollection<string> ids) =>
        JsonBody.Of(json => json.WriteTexts("ids", ids));

    private async Task<IReadOnlyList<Acknowledgement>> SettleAsync(
        string part, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        Acknowledgement.ReadAll(await SendAsync(HttpMethod.Post, part, body, cancellationToken).ConfigureAwait(false));

    private async IAsyncEnumerable<OwedEvent> PagesAsync(
        string part, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var after = ""; ;)
        {
            var page = await SendAsync(HttpMethod.Get, $"{part}?limit=1000{after}", null, cancellationToken)
                .ConfigureAwait(false);
            foreach (var each in page.Elements("events"))
                yield return OwedEvent.Read(each);
            if (page.Truth("more") is not true || page.Text("cursor") is not { } cursor)
                yield break;
            after = "&after=" + Uri.EscapeDataString(cursor);
        }
    }

    private Task<JsonElement> SendAsync(
        HttpMethod method, string part, ReadOnlyMemory<byte>? body, CancellationToken cancellationToken) =>
        _requests.SendAsync(
            method, _addresses.Subscriber(Stream, Name, part), body, JsonBody.ContentType, cancellationToken);
}
