using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api;
using Xunit;

namespace OrleansEvents.Tests.Host;

/// <summary>What the tests of the host share: a real server on a free port, and reading its answers.</summary>
internal static class Given
{
    public static readonly string[] Quiet =
        ["--urls", "http://127.0.0.1:0", "--store", "memory", "--Logging:LogLevel:OrleansEvents", "Warning"];

    public static Task<RunningApi> Server(
        string[]? options = null, Action<IServiceCollection>? services = null,
        Action<IEndpointRouteBuilder>? map = null) =>
        ApiHost.StartAsync([.. Quiet, .. options ?? []], services, map, cancel: TestContext.Current.CancellationToken);

    public static HttpClient Client(this RunningApi server, Version? version = null) => new()
    {
        BaseAddress = server.Address,
        DefaultRequestVersion = version ?? HttpVersion.Version11,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = TimeSpan.FromSeconds(30),
    };

    public static async Task<JsonElement> Json(this HttpResponseMessage answer) =>
        JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsByteArrayAsync());

    public static string Code(this JsonElement problem) => problem.GetProperty("code").GetString()!;

    public static string RepositoryFile(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "OrleansEvents.sln")))
                return Path.Combine(folder.FullName, path);
        }

        throw new InvalidOperationException("The tests run outside the repository");
    }
}
