using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Problems;

/// <summary>The outermost step of a request: what goes wrong inside becomes a problem answer, logged once.</summary>
internal sealed partial class FaultBoundary(RequestDelegate next, ILogger<FaultBoundary> log)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (Exception gone) when (context.RequestAborted.IsCancellationRequested || gone is ConnectionResetException)
        {
            // Nobody is there to be answered, and leaving is a reader's right: not worth a line.
        }
        catch (BadHttpRequestException bad)
        {
            await Refuse(context, bad);
        }
        catch (Exception fault)
        {
            await Report(context, fault);
        }
    }

    private static Task Refuse(HttpContext context, BadHttpRequestException bad)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return Task.CompletedTask;
        }

        var isTooLarge = bad.StatusCode == StatusCodes.Status413PayloadTooLarge;
        var code = isTooLarge ? ErrorCode.EventTooLarge : ErrorCode.InvalidInput;
        context.Response.Clear();
        return Problem.Write(context, code, bad.Message);
    }

    private Task Report(HttpContext context, Exception fault)
    {
        var traceId = Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier;
        LogFault(fault, context.Request.Method, context.Request.Path, traceId);
        if (context.Response.HasStarted)
        {
            // A cut connection is the only way left to say that the answer is not whole.
            context.Abort();
            return Task.CompletedTask;
        }

        context.Response.Clear();
        var detail = $"The server failed; its log tells more under trace id {traceId}.";
        var refusal = new Refusal(ErrorCode.ServerError, detail);
        return Problem.Write(context, refusal, more: json => json.WriteString("traceId", traceId));
    }

    [LoggerMessage(EventIds.RequestFailed, LogLevel.Error, "{Method} {Path} failed, trace id {TraceId}")]
    private partial void LogFault(Exception fault, string method, string path, string traceId);
}
