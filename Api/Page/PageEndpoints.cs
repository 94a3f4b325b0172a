namespace OrleansEvents.Api.Page;

/// <summary>The small page of the server's own: its streams, a live tail of one, a box to publish.</summary>
internal static class PageEndpoints
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void Map(IEndpointRouteBuilder routes)
    {
        Map(routes, "/", "index.html", "text/html; charset=utf-8");
        Map(routes, "/page.js", "page.js", "text/javascript; charset=utf-8");
        Map(routes, "/page.css", "page.css", "text/css; charset=utf-8");
        routes.MapGet("/openapi.json", new EmbeddedFile("openapi.json", "application/json").Serve);
    }

    private static void Map(IEndpointRouteBuilder routes, string path, string name, string contentType)
    {
        var file = new EmbeddedFile(name, contentType);
        routes.MapGet(path, context =>
        {
            context.Response.Headers.ContentSecurityPolicy = Policy;
            context.Response.Headers["Referrer-Policy"] = "no-referrer";
            return file.Serve(context);
        });
    }
}
