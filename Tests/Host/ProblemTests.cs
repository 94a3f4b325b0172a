using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Host;

public sealed partial class ProblemTests
{
    [Fact]
    public void Every_code_has_one_row_in_its_order_and_the_name_of_its_member()
    {
        Assert.Equal(Enum.GetValues<ErrorCode>(), ErrorCatalogue.All.Select(row => row.Code));
        foreach (var row in ErrorCatalogue.All)
            Assert.Equal(Words().Replace(row.Code.ToString(), "_$0").ToUpperInvariant(), row.WireName);
        Assert.All(ErrorCatalogue.All, row => Assert.Contains(row.Severity, new[] { "warning", "error", "critical" }));
    }

    [Fact]
    public void The_table_is_the_contracts()
    {
        var path = Given.RepositoryFile("docs/contract.md");
        Assert.SkipUnless(File.Exists(path), "docs/contract.md is not there");
        var section = File.ReadAllText(path).Split("## 8. Errors")[1].Split("\n## ")[0];
        var told = new List<(string, string)>();
        foreach (var line in section.Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal)))
        {
            var cells = line.Split('|');
            var codes = CodeNames().Matches(cells[1]).Select(match => match.Groups[1].Value).ToArray();
            // One cell of statuses for each code of the row, or one for all of them.
            var statuses = cells[2].Split('·', StringSplitOptions.TrimEntries);
            told.AddRange(codes.Select((code, at) => (code, statuses[statuses.Length == codes.Length ? at : 0])));
        }

        Assert.Equal(told, ErrorCatalogue.All.Select(row => (row.WireName, row.Status is { } status
            ? string.Join(", ", [status, .. row.OtherStatuses]) : "–")));
    }

    [Fact]
    public async Task An_unknown_path_is_a_problem_with_every_member()
    {
        await using var server = await Given.Server();
        using var client = server.Client();
        using var answer = await client.GetAsync("/api/nothing/h%C3%A9re?secret=1");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.ToString());
        var problem = await answer.Json();
        Assert.Equal(
            ["type", "title", "status", "detail", "instance", "code", "component", "severity", "timestamp"],
            problem.EnumerateObject().Select(member => member.Name));
        Assert.Equal("NOT_FOUND", problem.Code());
        Assert.Equal(404, problem.GetProperty("status").GetInt32());
        Assert.Equal("/api/nothing/h%C3%A9re", problem.GetProperty("instance").GetString());
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", problem.GetProperty("timestamp").GetString());
    }

    [Fact]
    public async Task A_fault_is_answered_with_a_trace_id_and_logged_once_under_it()
    {
        var log = new LogLines();
        await using var server = await Given.Server(
            services: services => services.AddLogging(logging => logging.AddProvider(log)),
            map: routes => routes.MapGet("/boom", _ => throw new InvalidOperationException("the secret cause")));
        using var client = server.Client();
        using var answer = await client.GetAsync("/boom");
        var problem = await answer.Json();
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Equal("SERVER_ERROR", problem.Code());
        var traceId = problem.GetProperty("traceId").GetString()!;
        Assert.Contains(traceId, Assert.Single(log.AtLeast(LogLevel.Error)), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fault_after_the_answer_began_cuts_the_connection()
    {
        await using var server = await Given.Server(map: routes => routes.MapGet("/half", async context =>
        {
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            throw new InvalidOperationException("half way");
        }));
        using var client = server.Client();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetStringAsync("/half"));
    }

    [Fact]
    public async Task A_body_over_the_limit_is_EVENT_TOO_LARGE()
    {
        await using var server = await Given.Server(["--Limits:EventBytes", "1000", "--Limits:RequestBytes", "2000"],
            map: routes => routes.MapPost("/body", context => context.Request.Body.CopyToAsync(Stream.Null)));
        using var client = server.Client();
        using var answer = await client.PostAsync("/body", new ByteArrayContent(new byte[3000]));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
        Assert.Equal("EVENT_TOO_LARGE", (await answer.Json()).Code());
    }

    [Fact]
    public async Task A_body_that_is_no_http_is_INVALID_INPUT()
    {
        await using var server = await Given.Server(
            map: routes => routes.MapPost("/body", context => context.Request.Body.CopyToAsync(Stream.Null)));
        var answer = await RawHttp.Exchange(server.Address,
            "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"u8.ToArray());
        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Contains("\"INVALID_INPUT\"", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_that_leaves_is_not_worth_a_line()
    {
        var log = new LogLines();
        var (arrived, ended) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var server = await Given.Server(
            services: services => services.AddLogging(logging => logging.AddProvider(log)),
            map: routes => routes.MapGet("/long", async context =>
            {
                arrived.SetResult();
                using var _ = context.RequestAborted.Register(ended.SetResult);
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }));
        using (var client = server.Client())
        {
            var request = client.GetAsync("/long");
            await arrived.Task;
            client.CancelPendingRequests();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        }

        await ended.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await server.App.StopAsync();
        Assert.Empty(log.AtLeast(LogLevel.Warning));
    }

    [Theory]
    [InlineData(ErrorCode.BacklogFull, null, "5")]
    [InlineData(ErrorCode.RateLimited, 2.2, "3")]
    [InlineData(ErrorCode.CircuitOpen, 0.001, "1")]
    [InlineData(ErrorCode.KeyConflict, null, null)]
    public async Task Waiting_is_advised_where_it_helps_in_whole_seconds(
        ErrorCode code, double? seconds, string? header)
    {
        TimeSpan? wait = seconds is { } s ? TimeSpan.FromSeconds(s) : null;
        await using var server = await Given.Server(
            map: routes => routes.MapGet("/no", context => Problem.Write(context, new Refusal(code, "no", wait))));
        using var client = server.Client();
        using var answer = await client.GetAsync("/no");
        Assert.Equal(ErrorCatalogue.Of(code).Status, (int)answer.StatusCode);
        Assert.Equal(header, answer.Headers.RetryAfter?.ToString());
    }

    [GeneratedRegex("(?<!^)[A-Z]")]
    private static partial Regex Words();

    [GeneratedRegex("`([A-Z_]+)`")]
    private static partial Regex CodeNames();
}
