using System.Text;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Webhooks;
using OrleansEvents.Streams;
using Xunit;
using static OrleansEvents.Tests.Webhooks.Given;

namespace OrleansEvents.Tests.Webhooks;

public sealed class WebhookTargetTests
{
    [Theory]
    [InlineData("https://hooks.example/a?b=c")]
    [InlineData("https://hooks.example:8443/")]
    [InlineData("https://8.8.8.8/")]
    [InlineData("https://[2606:4700::1111]/")]
    [InlineData("https://bücher.example/")]
    public void An_https_address_of_anybody_is_taken(string url) => Assert.Null(RefusalOf(url));

    [Theory]
    [InlineData("", "must be an absolute https address")]
    [InlineData("hooks", "must be an absolute https address")]
    [InlineData("/hooks", "must be an absolute https address")]
    [InlineData("https:///", "must be an absolute https address")]
    [InlineData("https://hooks.example:0/", "must be an absolute https address")]
    [InlineData("https://hooks.example/ a", "must be an absolute https address")]
    [InlineData("https://hooks.example\\@10.0.0.1/", "must be an absolute https address")]
    [InlineData("https://hooks.example/\r\nX: y", "must be an absolute https address")]
    [InlineData("ftp://hooks.example/", "must be an absolute https address")]
    [InlineData("file:///etc/passwd", "must be an absolute https address")]
    [InlineData("gopher://hooks.example/", "must be an absolute https address")]
    [InlineData("http://hooks.example/", "must be https (Webhooks:AllowHttp allows http)")]
    [InlineData("https://user@hooks.example/", "must have no user name and no password")]
    [InlineData("https://user:pass@hooks.example/", "must have no user name and no password")]
    [InlineData("https://hooks.example/#part", "must have no fragment")]
    [InlineData("https://127.0.0.1/", Private)]
    [InlineData("https://2130706433/", Private)]
    [InlineData("https://0177.0.0.1/", Private)]
    [InlineData("https://[::1]/", Private)]
    [InlineData("https://[::ffff:10.0.0.1]/", Private)]
    [InlineData("https://169.254.169.254/latest", Private)]
    [InlineData("https://localhost/", Private)]
    [InlineData("https://LOCALHOST./", Private)]
    [InlineData("https://a.localhost/", Private)]
    public void Any_other_address_is_refused_with_the_reason(string url, string reason)
    {
        var refusal = RefusalOf(url);
        Assert.Equal(new Refusal(ErrorCode.InvalidInput, $"\"webhook.url\" {reason}."), refusal);
    }

    private const string Private =
        "must not be at a private or special address (Webhooks:AllowPrivateAddresses allows them)";

    [Fact]
    public void A_url_has_a_longest_length()
    {
        var path = new string('a', 2048 - "https://hooks.example/".Length);
        Assert.Null(RefusalOf($"https://hooks.example/{path}"));
        Assert.NotNull(RefusalOf($"https://hooks.example/{path}a"));
    }

    [Fact]
    public void Http_and_private_addresses_are_for_the_operator_to_allow()
    {
        var http = new WebhooksOptions { AllowHttp = true };
        Assert.Null(RefusalOf("http://hooks.example/", options: http));
        Assert.NotNull(RefusalOf("http://10.0.0.1/", options: http));
        Assert.Null(RefusalOf("http://10.0.0.1/", options: Local));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("secret", false)]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false)]
    [InlineData("whsec_", false)]
    [InlineData("whsec_c2hvcnQ=", false)]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", false)]
    [InlineData(Secret, true)]
    [InlineData($"{Secret} {OtherSecret}", true)]
    [InlineData($"{Secret} secret", false)]
    [InlineData($"{Secret} {Secret} {Secret} {Secret} {Secret}", false)]
    public void A_secret_is_whsec_and_enough_bytes_of_base64(string secret, bool isTaken)
    {
        var refusal = RefusalOf("https://hooks.example/", secret);
        Assert.Equal(isTaken, refusal is null);
        if (secret.Length > 10 && refusal is { } refused)
            Assert.DoesNotContain(secret[6..12], refused.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_shown_of_a_url_has_no_query() =>
        Assert.Equal("https://hooks.example:8443/a", Target("https://hooks.example:8443/a?token=x").Shown);

    [Fact]
    public void The_signature_is_that_of_the_published_example()
    {
        Assert.True(WebhookSecrets.TryParse(Secret, out var secrets));
        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            secrets.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}"u8));
    }

    [Fact]
    public void The_id_is_the_same_for_each_attempt_and_another_for_each_subscriber()
    {
        var id = WebhookBody.IdOf("orders", "billing", "AAAA");
        Assert.Equal(id, WebhookBody.IdOf("orders", "billing", "AAAA"));
        Assert.Matches("^msg_[0-9a-f]{32}$", id);
        string[] others = [WebhookBody.IdOf("orders", "mail", "AAAA"), WebhookBody.IdOf("orders", "billing", "AAAB"),
            WebhookBody.IdOf("order", "billing", "AAAA"), id];
        Assert.Equal(4, others.Distinct().Count());
    }

    private static Refusal? RefusalOf(string url, string secret = Secret, WebhooksOptions? options = null) =>
        WebhookTarget.Create(url, secret, false, Long, options ?? new WebhooksOptions()).Refusal;
}
