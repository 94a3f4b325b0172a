using OrleansEvents.Api.Problems;
using OrleansEvents.Api.Sse;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>Names in a path are checked before a handler sees them; writing to the server's own streams, and
/// anything while it stops, is refused.</summary>
internal sealed class StreamNameFilter(ConnectionTable connections) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (Check(http) is not { } refusal) return await next(context);
        await Problem.Write(http, refusal);
        return Results.Empty;
    }

    public Refusal? Check(HttpContext http)
    {
        if (connections.IsDraining) return new Refusal(ErrorCode.ServerShutdown, "The server is stopping.");
        var isRead = HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method);
        if (http.Request.RouteValues.TryGetValue("stream", out var stream) && stream is string name)
        {
            if (StreamName.Check(name) is { } bad) return bad;
            // Its subscribers are anybody's: what the server tells an operator is to be acknowledged.
            if (!isRead && StreamName.IsServerOwn(name) && !http.Request.RouteValues.ContainsKey("subscriber"))
                return new Refusal(ErrorCode.PermissionDenied, $"{name} is the server's own.");
        }
        return http.Request.RouteValues.TryGetValue("subscriber", out var value) && value is string subscriber
            ? StreamName.CheckSubscriber(subscriber)
            : null;
    }
}
