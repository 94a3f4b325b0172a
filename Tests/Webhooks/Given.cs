using System.Net;
using System.Security.Cryptography;
using System.Text;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Webhooks;
using Xunit;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>Targets, messages and an independent look at signatures.</summary>
internal static class Given
{
    public const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    public const string OtherSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    /// <summary>Longer than any test waits.</summary>
    public static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    /// <summary>What a hang is waited for.</summary>
    public static readonly TimeSpan Short = TimeSpan.FromSeconds(0.3);

    public static WebhooksOptions Local { get; } = new() { AllowPrivateAddresses = true };

    public static WebhookTarget Target(string url, TimeSpan? timeout = null, string secret = Secret,
        bool asCloudEvent = false)
    {
        var made = WebhookTarget.Create(url, secret, asCloudEvent, timeout ?? Long, Local);
        Assert.Null(made.Refusal);
        return made.Value!;
    }

    public static WebhookMessage Message(string body = """{"seq":1}""", string? trace = null) =>
        new("msg_1", Encoding.UTF8.GetBytes(body), trace);

    public static WebhookSender Sender(WebhooksOptions? options = null, AddressLookup? lookup = null) =>
        new(options ?? Local, TimeProvider.System, lookup);

    /// <summary>Finds the same addresses for every name.</summary>
    public static AddressLookup At(params string[] addresses) =>
        (_, _) => Task.FromResult(addresses.Select(IPAddress.Parse).ToArray());

    public static async Task<WebhookResult> Send(string url, TimeSpan? timeout = null)
    {
        using var sender = Sender();
        return await sender.Send(Target(url, timeout), Message(), TestContext.Current.CancellationToken);
    }

    /// <summary>Whether one of the signatures was made with the secret.</summary>
    public static bool IsSigned(ReceivedRequest request, string secret)
    {
        var key = Convert.FromBase64String(secret[6..]);
        byte[] signed = [.. Encoding.ASCII.GetBytes(
            $"{request.Headers["webhook-id"]}.{request.Headers["webhook-timestamp"]}."), .. request.Body];
        var wanted = "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, signed));
        return request.Headers["webhook-signature"].Split(' ').Contains(wanted);
    }
}
