using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OrleansEvents.Api.Health;
using Xunit;

namespace OrleansEvents.Tests.Host;

public sealed class HealthTests
{
    [Fact]
    public async Task A_server_that_runs_is_alive_and_ready()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        using var alive = await client.GetAsync("/healthz");
        Assert.Equal("alive", (await alive.Json()).GetProperty("status").GetString());
        using var ready = await client.GetAsync("/readyz");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.Equal("ok", (await ready.Json()).GetProperty("checks").GetProperty("server").GetString());
    }

    [Fact]
    public async Task A_failing_dependency_makes_it_unready_by_name_but_not_dead()
    {
        string? reason = "circuit open";
        await using var server = await Given.Server(
            services: services => services.AddSingleton(new ReadinessCheck("disk", () => reason)));
        using var client = server.Client();
        using (var answer = await client.GetAsync("/readyz"))
        {
            var problem = await answer.Json();
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.Equal("STORE_UNAVAILABLE", problem.Code());
            Assert.Equal("circuit open", problem.GetProperty("checks").GetProperty("disk").GetString());
            Assert.NotNull(answer.Headers.RetryAfter);
        }

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/healthz")).StatusCode);
        reason = null;
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/readyz")).StatusCode);
    }

    [Fact]
    public async Task A_draining_server_is_not_ready()
    {
        await using var server = await Given.Server(services: services =>
            services.AddSingleton(new ReadinessCheck(ReadinessCheck.ServerName, () => "draining")));
        using var client = server.Client();
        using var answer = await client.GetAsync("/readyz");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("SERVER_SHUTDOWN", (await answer.Json()).Code());
    }

    [Fact]
    public async Task The_servers_own_check_fails_once_it_is_told_to_stop()
    {
        await using var server = await Given.Server();
        var check = server.App.Services.GetServices<ReadinessCheck>()
            .Single(one => one.Name == ReadinessCheck.ServerName);
        Assert.Null(check.Failing());
        await server.App.StopAsync();
        Assert.Equal("draining", check.Failing());
    }
}
