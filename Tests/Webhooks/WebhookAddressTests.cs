using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using OrleansEvents.Api.Options;
using OrleansEvents.Api.Webhooks;
using Xunit;
using static OrleansEvents.Tests.Webhooks.Given;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>A url must not make this server ask what its owner could not ask himself.</summary>
public sealed class WebhookAddressTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("0.1.2.3")]
    [InlineData("10.0.0.1")]
    [InlineData("100.64.0.1")]
    [InlineData("100.100.100.200")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("168.63.129.16")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.0.0.192")]
    [InlineData("192.0.2.1")]
    [InlineData("192.88.99.1")]
    [InlineData("192.168.1.1")]
    [InlineData("198.18.0.1")]
    [InlineData("198.19.255.255")]
    [InlineData("198.51.100.1")]
    [InlineData("203.0.113.1")]
    [InlineData("224.0.0.1")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("::ffff:169.254.169.254")]
    [InlineData("::ffff:0:127.0.0.1")]
    [InlineData("64:ff9b::127.0.0.1")]
    [InlineData("64:ff9b::169.254.169.254")]
    [InlineData("64:ff9b:1::10.0.0.1")]
    [InlineData("100::1")]
    [InlineData("2001::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("3fff::1")]
    [InlineData("5f00::1")]
    [InlineData("fc00::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("fe80::1%1")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    public void A_special_address_is_not_public(string address) =>
        Assert.False(PublicAddresses.Contains(IPAddress.Parse(address)));

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("8.8.8.8")]
    [InlineData("172.15.255.255")]
    [InlineData("172.32.0.1")]
    [InlineData("100.63.255.255")]
    [InlineData("100.128.0.1")]
    [InlineData("198.17.255.255")]
    [InlineData("223.255.255.255")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("2606:4700::1111")]
    [InlineData("2001:4860:4860::8888")]
    [InlineData("2a00:1450:4001::1")]
    public void An_address_of_anybody_is_public(string address) =>
        Assert.True(PublicAddresses.Contains(IPAddress.Parse(address)));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::1", "10.0.0.1")]
    public async Task A_name_that_stands_for_private_addresses_is_not_connected_to(params string[] addresses)
    {
        await using var receiver = new WebhookReceiver();
        using var sender = Sender(new WebhooksOptions(), At(addresses));
        var result = await sender.Send(Target($"http://hooks.example:{receiver.Port}/"), Message(),
            CancellationToken.None);
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "address"), result);
        Assert.Equal(0, receiver.Connections);
    }

    [Fact]
    public async Task An_address_in_the_url_is_checked_where_the_connection_is_made_too()
    {
        await using var receiver = new WebhookReceiver();
        using var sender = Sender(new WebhooksOptions());
        foreach (var host in new[] { "127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "localhost" })
        {
            var result = await sender.Send(Target($"http://{host}:{receiver.Port}/"), Message(),
                CancellationToken.None);
            Assert.Equal((host, "address"), (host, result.Reason));
        }
        Assert.Equal(0, receiver.Connections);
    }

    [Fact]
    public async Task A_name_is_looked_up_once_and_connected_to_where_it_was_checked()
    {
        await using var receiver = new WebhookReceiver();
        var lookups = new List<string>();
        using var sender = Sender(Local, (host, _) =>
        {
            lookups.Add(host);
            // The second answer is the attacker's.
            return Task.FromResult(new[] { IPAddress.Parse(lookups.Count == 1 ? "127.0.0.1" : "127.0.0.2") });
        });
        var result = await sender.Send(Target($"http://hooks.invalid:{receiver.Port}/"), Message(),
            CancellationToken.None);
        Assert.Equal(WebhookOutcome.Acknowledged, result.Outcome);
        Assert.Equal(["hooks.invalid"], lookups);
        Assert.Equal($"hooks.invalid:{receiver.Port}", Assert.Single(receiver.Requests).Headers["Host"]);
    }

    [Fact]
    public async Task A_name_that_is_not_found_is_a_failure()
    {
        using var sender = Sender(Local, (_, _) => throw new SocketException((int)SocketError.HostNotFound));
        var result = await sender.Send(Target("http://hooks.invalid/"), Message(), CancellationToken.None);
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "dns"), result);
    }

    [Fact]
    public async Task A_lookup_that_hangs_is_cut_by_the_time_limit()
    {
        using var sender = Sender(Local, async (_, cancel) =>
        {
            await Task.Delay(Timeout.Infinite, cancel);
            return [];
        });
        var result = await sender.Send(Target("http://hooks.invalid/", Short), Message(), CancellationToken.None);
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "timeout"), result);
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_refused_and_fetches_nothing()
    {
        await using var issuer = new WebhookReceiver();
        var certificate = MakeCertificate($"http://127.0.0.1:{issuer.Port}/ca");
        await using var receiver = new WebhookReceiver(certificate: certificate);
        Assert.Equal(new WebhookResult(WebhookOutcome.Failed, "tls"), await Send(receiver.Url));
        Assert.Equal(1, receiver.Connections);
        Assert.Equal(0, issuer.Connections);
    }

    /// <summary>A leaf that says where its issuer's certificate can be had.</summary>
    private static X509Certificate2 MakeCertificate(string issuerAt)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var issuerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issuing = new CertificateRequest("CN=issuer", issuerKey, HashAlgorithmName.SHA256);
        issuing.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var issuer = issuing.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var leaf = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        leaf.CertificateExtensions.Add(names.Build());
        leaf.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension(null, [issuerAt]));
        using var bare = leaf.Create(issuer, now.AddDays(-1), now.AddDays(1), [1, 2, 3, 4]);
        using var whole = bare.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
    }
}
