using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using OrleansEvents.Tests.Docs;
using Xunit;
using static OrleansEvents.Tests.Webhooks.Given;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>What the page of webhooks shows works.</summary>
public sealed class WebhooksPageTests
{
    private const string Signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    private static readonly DateTimeOffset s_then = DateTimeOffset.FromUnixTimeSeconds(1614265330);

    [Fact]
    public void The_page_shows_what_is_compiled()
    {
        var source = Documents.Read("Tests/Webhooks/ReceiverSnippet.cs");
        var lines = source.Split("// begin\n")[1].Split("    // end")[0].Split('\n');
        Assert.Equal(string.Join('\n', lines.Select(line => line.Length > 4 ? line[4..] : line.Trim())),
            Assert.Single(Documents.Blocks(Documents.Read("docs/webhooks.md"), "csharp")));
    }

    [Fact]
    public void The_check_in_CSharp_takes_what_is_signed_now_and_nothing_else()
    {
        Assert.True(IsTaken(Signature));
        Assert.True(IsTaken($"v1,AAAA v1a,BBBB {Signature}"));
        Assert.False(IsTaken("v1,AAAA"));
        Assert.False(IsTaken(Signature, body: "{\"test\": 2432232315}"));
        Assert.False(IsTaken(Signature, minutesLater: 6));
    }

    [Fact]
    public async Task The_check_in_a_shell_makes_the_same_signature()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a POSIX shell.");
        var script = Assert.Single(Documents.Blocks(Documents.Read("docs/webhooks.md"), "bash"));
        var output = await Run("bash", "-c", $"""
            set -e; cd "$(mktemp -d)"; secret={Secret}; id=msg_p5jXN8AQM9LWM0D4loKWxJek; time=1614265330
            printf %s '{Body}' > body
            {script}
            rm body
            """);
        Assert.Equal(Signature, output.Trim());
    }

    private const string Body = "{\"test\": 2432232314}";

    private static bool IsTaken(string signature, string body = Body, int minutesLater = 0) =>
        ReceiverSnippet.IsSigned(new HeaderDictionary
        {
            ["webhook-id"] = "msg_p5jXN8AQM9LWM0D4loKWxJek",
            ["webhook-timestamp"] = "1614265330",
            ["webhook-signature"] = signature,
        }, System.Text.Encoding.UTF8.GetBytes(body), Secret, s_then.AddMinutes(minutesLater));

    private static async Task<string> Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync().WaitAsync(Long);
        await process.WaitForExitAsync();
        return output;
    }
}
