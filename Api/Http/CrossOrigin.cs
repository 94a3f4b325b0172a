using OrleansEvents.Api.Options;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Http;

/// <summary>Lets pages of the configured origins use the API (CORS), and answers their preflights.</summary>
internal sealed class CrossOrigin(RequestDelegate next, CorsOptions options)
{
    private const string AllowedHeaders =
        "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, traceparent";

    private const string AllowedMethods = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
    private const string ExposedHeaders = "Allow, Location, Retry-After";

    private readonly bool _isAny = options.Origins.Contains("*");
    private readonly HashSet<string> _origins = new(options.Origins, StringComparer.OrdinalIgnoreCase);

    public Task InvokeAsync(HttpContext context)
    {
        if (IsForeignWrite(context.Request))
            return Problem.Write(context, ErrorCode.PermissionDenied,
                "Pages of that origin may not change anything here.");
        if (_origins.Count == 0)
            return next(context);
        // Set as the headers leave, because handlers set Vary themselves and a fault clears what was set before.
        var headers = new Headers(this, context);
        context.Features.Set(headers);
        context.Response.OnStarting(static state =>
        {
            ((Headers)state).Write();
            return Task.CompletedTask;
        }, headers);
        var request = context.Request;
        var isPreflight = HttpMethods.IsOptions(request.Method)
            && request.Headers.ContainsKey("Access-Control-Request-Method") && Allows(request.Headers.Origin);
        if (!isPreflight)
            return next(context);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        context.Response.Headers.AccessControlAllowMethods = AllowedMethods;
        context.Response.Headers.AccessControlAllowHeaders = AllowedHeaders;
        context.Response.Headers.AccessControlMaxAge = "600";
        return Task.CompletedTask;
    }

    /// <summary>
    /// A page of another origin can send some writes without asking first. Browsers say where a request comes from
    /// (Fetch Metadata); other clients do not, and need not.
    /// </summary>
    private bool IsForeignWrite(HttpRequest request) =>
        !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method)
            && !HttpMethods.IsOptions(request.Method)
        && request.Headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site"
        && !Allows(request.Headers.Origin);

    private bool Allows(string? origin) => !string.IsNullOrEmpty(origin) && (_isAny || _origins.Contains(origin));

    /// <summary>What the answer gets, from the server or from whoever writes the head itself.</summary>
    internal sealed class Headers(CrossOrigin rules, HttpContext context)
    {
        public void Write()
        {
            var headers = context.Response.Headers;
            var origin = context.Request.Headers.Origin.ToString();
            if (!rules._isAny)
                headers.Append("Vary", "Origin");
            if (!rules.Allows(origin))
                return;
            headers.AccessControlAllowOrigin = rules._isAny ? "*" : origin;
            headers.AccessControlExposeHeaders = ExposedHeaders;
            if (!rules._isAny)
                headers.AccessControlAllowCredentials = "true";
        }
    }
}
