namespace OrleansEvents.Api.Options;

/// <summary>What must hold between settings, and the forms that a bound cannot express.</summary>
internal static class SettingRules
{
    public static void Check(ServerOptions options)
    {
        var (limits, sse) = (options.Limits, options.Sse);
        Require(limits.EventBytes <= limits.RequestBytes, "Limits:EventBytes", "is more than Limits:RequestBytes");
        Require(limits.RequestBytes <= limits.RequestMemoryBytes,
            "Limits:RequestBytes", "is more than Limits:RequestMemoryBytes");
        Require(limits.EventBytes <= limits.UnsentBytes, "Limits:EventBytes", "is more than Limits:UnsentBytes");
        Require(limits.PositionBytes <= limits.HeaderBytes / 2,
            "Limits:PositionBytes", "is over half of Limits:HeaderBytes");
        Require(sse.HeartbeatMin <= sse.HeartbeatMax, "Sse:HeartbeatMin", "is more than Sse:HeartbeatMax");
        Require(sse.Heartbeat >= sse.HeartbeatMin && sse.Heartbeat <= sse.HeartbeatMax,
            "Sse:Heartbeat", "is not between Sse:HeartbeatMin and Sse:HeartbeatMax");
        Require(options.Streams.BufferBytes <= limits.MemoryBytes,
            "Streams:BufferBytes", "is more than Limits:MemoryBytes");
        var otlp = options.Telemetry.OtlpEndpoint;
        Require(otlp.Length == 0 || IsOtlp(otlp),
            "Telemetry:OtlpEndpoint", $"'{otlp}' is not an address such as http://127.0.0.1:4318");
        foreach (var url in options.Urls.Split(';'))
            Require(IsAddress(url), "--urls", $"'{url}' is not an address such as {ServerOptions.DefaultUrls}");
        foreach (var origin in options.Cors.Origins)
            Require(IsOrigin(origin), "Cors:Origins", $"'{origin}' is not * or an origin such as https://example.org");
    }

    private static void Require(bool holds, string setting, string reason)
    {
        if (!holds)
            throw new StartRefusedException($"{setting}: {reason}");
    }

    private static bool IsAddress(string url)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            return address.Scheme is "http" or "https" && address.PathBase.Length == 0
                && address.Port is >= 0 and <= 65535;
        }
        catch (Exception failure) when (failure is FormatException or ArgumentException)
        {
            return false;
        }
    }

    private static bool IsOtlp(string endpoint) =>
        Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https";

    private static bool IsOrigin(string origin) => origin == "*"
        || (Uri.TryCreate(origin, UriKind.Absolute, out var uri)
            && uri.GetLeftPart(UriPartial.Authority).Equals(origin, StringComparison.OrdinalIgnoreCase));
}
