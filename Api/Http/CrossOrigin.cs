using OrleansEvents.Api.Options;

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
        if (_origins.Count == 0)
            return next(context);
        // Set as the headers leave, because handlers set Vary themselves and a fault clears what was set before.
        context.Response.OnStarting(static state => ((HeadersOf)state).Write(), new HeadersOf(this, context));
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

    private bool Allows(string? origin) => !string.IsNullOrEmpty(origin) && (_isAny || _origins.Contains(origin));

    private sealed class HeadersOf(CrossOrigin rules, HttpContext context)
    {
        public Task Write()
        {
            var headers = context.Response.Headers;
            var origin = context.Request.Headers.Origin.ToString();
            if (!rules._isAny)
                headers.Append("Vary", "Origin");
            if (!rules.Allows(origin))
                return Task.CompletedTask;
            headers.AccessControlAllowOrigin = rules._isAny ? "*" : origin;
            headers.AccessControlExposeHeaders = ExposedHeaders;
            if (!rules._isAny)
                headers.AccessControlAllowCredentials = "true";
            return Task.CompletedTask;
        }
    }
}
