using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Xunit;

namespace OrleansEvents.Tests.Docs;

public sealed class ReadmeDeliveryTests
{
    /// <summary>The script of the README, with its own server on another port and another folder.</summary>
    [Fact]
    public async Task What_was_not_acknowledged_comes_again_after_a_kill()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a POSIX shell.");
        var folder = Directory.CreateTempSubdirectory("events-readme-");
        var address = $"http://127.0.0.1:{FreePort().ToString(CultureInfo.InvariantCulture)}";
        var output = await ShellScript.Run(Assert.Single(Documents.Blocks(Documents.Read("README.md"), "bash")),
            ("dotnet artifacts/bin/Api/debug/OrleansEvents.Api.dll", $"'{ServerProcess.Dotnet}' "
                + $"'{typeof(Api.ApiHost).Assembly.Location}' --urls {address} --data '{folder.FullName}'"),
            ("http://127.0.0.1:5080", address));
        folder.Delete(recursive: true);
        var answers = output.Select(line => JsonSerializer.Deserialize<JsonElement>(line)).ToList();
        Assert.Equal(4, answers.Count);
        Assert.Equal([1, 1, 0], new[] { answers[0], answers[1], answers[3] }.Select(page =>
            page.GetProperty("events").GetArrayLength()));
        Assert.Equal("acknowledged", answers[2].GetProperty("results")[0].GetProperty("result").GetString());
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
