using Microsoft.AspNetCore.Http.Features;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Http;

/// <summary>
/// HEAD is found wherever GET is, OPTIONS says what a path allows, and what routing refuses is told as a problem.
/// Runs before routing: a HEAD is routed as the GET it stands for (see <see cref="RestoreHead"/>).
/// </summary>
internal sealed class MethodRules(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var isHead = HttpMethods.IsHead(context.Request.Method);
        if (isHead)
        {
            context.Request.Method = HttpMethods.Get;
            context.Features.Set(HeadRequest.Instance);
        }

        await next(context);
        var response = context.Response;
        if (response.HasStarted || response.ContentLength is not null || response.ContentType is not null)
            return;
        if (response.StatusCode == StatusCodes.Status405MethodNotAllowed)
            await Disallow(context);
        else if (response.StatusCode == StatusCodes.Status404NotFound)
            await Problem.Write(context, ErrorCode.NotFound, "There is no such path.");
    }

    private static Task Disallow(HttpContext context)
    {
        var routed = context.Response.Headers.GetCommaSeparatedValues("Allow");
        var methods = new SortedSet<string>(routed, StringComparer.Ordinal);
        if (methods.Contains(HttpMethods.Get))
            methods.Add(HttpMethods.Head);
        methods.Add(HttpMethods.Options);
        var allow = string.Join(", ", methods);
        context.Response.Headers.Allow = allow;
        if (HttpMethods.IsOptions(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        }

        return Problem.Write(context, ErrorCode.InvalidInput,
            $"{context.Request.Method} is not possible here; {allow} are.", StatusCodes.Status405MethodNotAllowed);
    }
}

/// <summary>Marks a HEAD while it is routed as a GET.</summary>
internal sealed class HeadRequest
{
    public static readonly HeadRequest Instance = new();
}

/// <summary>After routing: the endpoint sees the method that was asked for. Kestrel sends no body to a HEAD.</summary>
internal sealed class RestoreHead(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<HeadRequest>() is not null)
            context.Request.Method = HttpMethods.Head;
        return next(context);
    }
}
