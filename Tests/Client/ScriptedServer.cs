using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace OrleansEvents.Tests.Client;

/// <summary>What a scripted server was asked.</summary>
internal sealed record SeenRequest(string Method, string Path, string Query, string? LastEventId, string Body);

/// <summary>A real Kestrel on a free port that answers each request by the next step of a script.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly ConcurrentQueue<Func<HttpContext, Task>> _steps = new();
    private readonly WebApplication _app;

    private ScriptedServer(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public ConcurrentQueue<SeenRequest> Requests { get; } = new();

    public Uri Address { get; private set; } = null!;

    /// <summary>Answers what the script has no step for.</summary>
    public Func<HttpContext, SeenRequest, Task>? Otherwise { get; set; }

    public static async Task<ScriptedServer> StartAsync(int port = 0)
    {
        var server = new ScriptedServer(port);
        await server._app.StartAsync();
        server.Address = new Uri(server._app.Urls.First());
        return server;
    }

    public ScriptedServer Then(Func<HttpContext, Task> step)
    {
        _steps.Enqueue(step);
        return this;
    }

    public ScriptedServer ThenProblem(int status, string code, string detail, string? retryAfter = null) =>
        Then(context => RefuseAsync(context, status, code, detail, retryAfter));

    public static Task RefuseAsync(
        HttpContext context, int status, string code, string detail, string? retryAfter = null)
    {
        context.Response.StatusCode = status;
        if (retryAfter is not null)
            context.Response.Headers.RetryAfter = retryAfter;
        context.Response.ContentType = "application/problem+json";
        return context.Response.WriteAsync(
            $$"""
            {"type":"about:blank","title":"Refused","status":{{status}},"detail":"{{detail}}","code":"{{code}}",
            "component":"store","severity":"error"}
            """);
    }

    public ScriptedServer ThenJson(int status, string json) => Then(context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(json);
    });

    /// <summary>Sends SSE text as it is and closes, as a server that ends its answer properly.</summary>
    public ScriptedServer ThenFrames(params string[] frames) => Then(context => Sse.WriteAsync(context, frames));

    /// <summary>Sends SSE text and later breaks the connection: a reset takes with it what is not read yet.</summary>
    public ScriptedServer ThenFramesAndCut(Task cut, params string[] frames) => Then(async context =>
    {
        await Sse.WriteAsync(context, frames);
        await cut;
        context.Abort();
    });

    /// <summary>Sends SSE text and then nothing, until the client goes.</summary>
    public ScriptedServer ThenFramesAndSilence(params string[] frames) => Then(async context =>
    {
        await Sse.WriteAsync(context, frames);
        await UntilGoneAsync(context);
    });

    public static async Task UntilGoneAsync(HttpContext context)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (context.RequestAborted.Register(gone.SetResult))
            await gone.Task;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var body = new StreamReader(context.Request.Body, Encoding.UTF8);
        var seen = new SeenRequest(
            context.Request.Method,
            context.Features.Get<IHttpRequestFeature>()!.RawTarget.Split('?')[0],
            context.Request.QueryString.Value ?? "",
            context.Request.Headers["Last-Event-ID"].FirstOrDefault(),
            await body.ReadToEndAsync());
        Requests.Enqueue(seen);
        if (_steps.TryDequeue(out var step))
            await step(context);
        else if (Otherwise is { } otherwise)
            await otherwise(context, seen);
        else
            context.Response.StatusCode = StatusCodes.Status204NoContent;
    }
}
