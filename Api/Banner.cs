using OrleansEvents.Api.Options;

namespace OrleansEvents.Api;

/// <summary>What a start prints: where it listens, and two lines to try next.</summary>
internal static class Banner
{
    public static string Text(IReadOnlyList<Uri> addresses, ServerOptions options)
    {
        var url = addresses[0].GetLeftPart(UriPartial.Authority);
        var where = string.Join(", ", addresses.Select(address => address.GetLeftPart(UriPartial.Authority)));
        var store = options.Storage.Store switch
        {
            StoreKind.Memory => "critical events in memory only",
            StoreKind.Postgres => "critical events in PostgreSQL",
            _ => $"critical events in {Path.GetFullPath(options.Storage.Data)}",
        };
        var events = $"{url}/api/streams/hello/events";
        return $$$"""

            OrleansEvents {{{ApiHost.Version}}} listens on {{{where}}}, {{{store}}}.
            Open {{{url}}} in a browser, or try in two terminals:

              curl -N -H 'Accept: text/event-stream' {{{events}}}
              curl -H 'Content-Type: application/json' -d '{"type":"greeting","data":"hi"}' {{{events}}}

            Ctrl+C stops it.

            """;
    }
}
