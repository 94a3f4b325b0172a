using System.Globalization;
using System.Text;

namespace OrleansEvents.Client;

/// <summary>The paths of the contract under a server's address, which may have a path of its own.</summary>
internal sealed class Addresses
{
    private readonly Uri _root;

    public Addresses(Uri server)
    {
        if (!server.IsAbsoluteUri || server.Scheme is not ("http" or "https"))
            throw new ArgumentException("The server's address begins with http:// or https://.", nameof(server));
        var bare = server.GetLeftPart(UriPartial.Path);
        _root = new Uri(bare.EndsWith('/') ? bare : bare + "/");
    }

    public Uri Events(string stream) => new(_root, $"{Stream(stream)}/events");

    public Uri Complete(string stream) => new(_root, $"{Stream(stream)}/complete");

    public Uri Of(string stream) => new(_root, Stream(stream));

    public Uri Subscribers(string stream) => new(_root, $"{Stream(stream)}/subscribers");

    /// <summary>A subscriber, or with <paramref name="part"/> what belongs to it.</summary>
    public Uri Subscriber(string stream, string subscriber, string part = "") =>
        new(_root, $"{Stream(stream)}/subscribers/{Uri.EscapeDataString(subscriber)}{part}");

    public Uri Read(IReadOnlyList<string> streams, bool many, ReadOptions options)
    {
        var query = new StringBuilder();
        if (many)
            Add(query, "streams", string.Join(',', streams));
        if (options.After is { } after)
            Add(query, "after", after);
        if (options.Types.Count > 0)
            Add(query, "types", string.Join(',', options.Types));
        if (options.Subscriber is { } subscriber)
            Add(query, "subscriber", subscriber);
        if (options.ClientId is { } client)
            Add(query, "client", client);
        if (options.Heartbeat is { } heartbeat)
            Add(query, "heartbeat", heartbeat.TotalSeconds.ToString(CultureInfo.InvariantCulture));
        return new Uri(_root, (many ? "api/events" : $"{Stream(streams[0])}/events") + query);
    }

    private static string Stream(string stream) => "api/streams/" + Uri.EscapeDataString(stream);

    private static void Add(StringBuilder query, string name, string value) =>
        query.Append(query.Length == 0 ? '?' : '&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
}
