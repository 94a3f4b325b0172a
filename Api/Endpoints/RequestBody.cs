using System.Buffers;
using Microsoft.AspNetCore.Http.Features;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>A request's whole body in one pooled buffer. A request that is cut off throws, so that nothing of it is
/// used.</summary>
internal sealed class RequestBody : IDisposable
{
    private byte[] _buffer;
    private int _length;

    private RequestBody(int capacity) => _buffer = ArrayPool<byte>.Shared.Rent(capacity);

    public Memory<byte> Bytes => _buffer.AsMemory(0, _length);

    /// <summary>Reads the body; null with a refusal when it is larger than allowed.</summary>
    public static async ValueTask<(RequestBody? Body, Refusal Refusal)> Read(HttpContext context, int most)
    {
        // Counted here: Kestrel would count the framing of chunks too, and hang up on who is still sending.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } kestrel)
            kestrel.MaxRequestBodySize = null;
        var tooLarge = new Refusal(ErrorCode.EventTooLarge, $"A request has at most {most} bytes.");
        var announced = context.Request.ContentLength;
        if (announced > most) return (null, tooLarge);
        var body = new RequestBody((int)Math.Max(announced ?? 4096, 256));
        try
        {
            var reader = context.Request.BodyReader;
            while (true)
            {
                var read = await reader.ReadAsync(context.RequestAborted);
                if (body._length + read.Buffer.Length > most)
                {
                    reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                    body.Dispose();
                    return (null, tooLarge);
                }
                body.Append(read.Buffer);
                reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return (body, default);
            }
        }
        catch
        {
            body.Dispose();
            context.RequestServices.GetRequiredService<ServerMeter>().ReadErrors.One("of", "request");
            throw;
        }
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _length) = ([], 0);
    }

    private void Append(ReadOnlySequence<byte> bytes)
    {
        var needed = _length + (int)bytes.Length;
        if (needed > _buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, _buffer.Length * 2));
            Bytes.Span.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length = needed;
    }
}
