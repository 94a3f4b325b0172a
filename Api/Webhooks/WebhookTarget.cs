using System.Net;
using System.Text.Json;
using OrleansEvents.Api.Options;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Webhooks;

/// <summary>Where and how one subscriber's events are pushed: checked, and ready to be sent to.</summary>
internal sealed class WebhookTarget
{
    private WebhookTarget(Uri url, WebhookSecrets secrets, bool asCloudEvent, TimeSpan timeout) =>
        (Url, Secrets, AsCloudEvent, Timeout) = (url, secrets, asCloudEvent, timeout);

    public Uri Url { get; }

    public WebhookSecrets Secrets { get; }

    public bool AsCloudEvent { get; }

    /// <summary>How long one request may take, its answer included.</summary>
    public TimeSpan Timeout { get; }

    /// <summary>The url as others may see it: what stands behind a question mark is often a secret.</summary>
    public string Shown => Url.GetLeftPart(UriPartial.Path);

    /// <summary>The target of a subscriber's policy.</summary>
    public static Outcome<WebhookTarget> Create(WebhookPolicy policy, WebhooksOptions options) =>
        Create(policy.Url, policy.Secret, policy.AsCloudEvent, policy.Timeout, options);

    /// <summary>The target, or why it is refused. No name is looked up: what a name stands for may change at any time,
    /// and is checked whenever a connection is made.</summary>
    public static Outcome<WebhookTarget> Create(string url, string secret, bool asCloudEvent, TimeSpan timeout,
        WebhooksOptions options)
    {
        if (UrlProblem(url, options, out var uri) is { } problem)
            return Refused("url", problem);
        if (!WebhookSecrets.TryParse(secret, out var secrets))
            return Refused("secret", $"must be {WebhookSecrets.Form}");
        return new WebhookTarget(uri!, secrets, asCloudEvent, timeout);
    }

    /// <summary>What of a subscriber's settings (JSON) is refused by this server's own, or null. Each member is looked
    /// at by itself, since a change may have one of them; what is wrong with their form is for the engine to
    /// say.</summary>
    public static Refusal? Check(ReadOnlyMemory<byte> settings, WebhooksOptions options)
    {
        try
        {
            using var json = JsonDocument.Parse(settings);
            if (json.RootElement.ValueKind != JsonValueKind.Object
                || !json.RootElement.TryGetProperty("webhook", out var webhook)
                || webhook.ValueKind != JsonValueKind.Object) return null;
            if (TextOf(webhook, "url") is { } url && UrlProblem(url, options, out _) is { } problem)
                return Refused("url", problem);
            if (TextOf(webhook, "secret") is { } secret && !WebhookSecrets.TryParse(secret, out _))
                return Refused("secret", $"must be {WebhookSecrets.Form}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or a string that is no text.
        }
        return null;
    }

    private static string? TextOf(JsonElement webhook, string member) =>
        webhook.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString() : null;

    private static Refusal Refused(string member, string problem) =>
        new(ErrorCode.InvalidInput, $"\"webhook.{member}\" {problem}.");

    private static string? UrlProblem(string url, WebhooksOptions options, out Uri? uri)
    {
        uri = null;
        if (url.Length > WebhookPolicy.MaxUrl) return $"must have {WebhookPolicy.MaxUrl} characters at most";
        // What parsers read differently: one that checks must not see another host than one that connects.
        if (url.AsSpan().ContainsAnyInRange('\0', ' ') || url.AsSpan().ContainsAny('\\', '\x7f')
            || !Uri.TryCreate(url, UriKind.Absolute, out uri) || uri.Host.Length == 0 || uri.Port <= 0)
            return "must be an absolute https address";
        if (uri.Scheme != Uri.UriSchemeHttps)
        {
            if (uri.Scheme != Uri.UriSchemeHttp) return "must be an absolute https address";
            if (!options.AllowHttp && !options.AllowPrivateAddresses)
                return "must be https (Webhooks:AllowHttp allows http)";
        }
        if (uri.UserInfo.Length > 0) return "must have no user name and no password";
        if (uri.Fragment.Length > 0) return "must have no fragment";
        return options.AllowPrivateAddresses || !IsPrivate(uri.IdnHost) ? null
            : "must not be at a private or special address (Webhooks:AllowPrivateAddresses allows them)";
    }

    private static bool IsPrivate(string host) => IPAddress.TryParse(host, out var address)
        ? !PublicAddresses.Contains(address)
        : host.TrimEnd('.') is var name && (name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase));
}
