using System.Security.Cryptography;

namespace OrleansEvents.Api.Page;

/// <summary>A file inside the assembly, served as it is; a browser that has it is told so (304).</summary>
internal sealed class EmbeddedFile
{
    private readonly byte[] _content;
    private readonly string _contentType;
    private readonly string _tag;

    public EmbeddedFile(string name, string contentType)
    {
        using var stream = typeof(EmbeddedFile).Assembly.GetManifestResourceStream(name)
            ?? throw new ArgumentException($"There is no file {name} in the assembly", nameof(name));
        _content = new byte[stream.Length];
        stream.ReadExactly(_content);
        _contentType = contentType;
        _tag = $"\"{Convert.ToHexString(SHA256.HashData(_content).AsSpan(0, 8))}\"";
    }

    public Task Serve(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        response.Headers.ETag = _tag;
        response.Headers.CacheControl = "no-cache";
        response.Headers.XContentTypeOptions = "nosniff";
        if (request.Headers.IfNoneMatch.Contains(_tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        response.ContentType = _contentType;
        response.ContentLength = _content.Length;
        return response.Body.WriteAsync(_content, context.RequestAborted).AsTask();
    }
}
