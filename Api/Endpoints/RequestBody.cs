using System.Buffers;
using System.Numerics;
using Microsoft.AspNetCore.Http.Features;
using OrleansEvents.Api.Metrics;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Endpoints;

/// <summary>A request's whole body in one pooled buffer. A request that is cut off throws, so that nothing of it is
/// used.</summary>
internal sealed class RequestBody : IDisposable
{
    private readonly RequestMemory _memory;
    private byte[] _buffer = [];
    private int _length;
    private int _taken;

    private RequestBody(RequestMemory memory) => _memory = memory;

    public Memory<byte> Bytes => _buffer.AsMemory(0, _length);

    /// <summary>Reads a small body.</summary>
    public static ValueTask<(RequestBody? Body, Refusal Refusal)> Read(HttpContext context, int most) =>
        Read(context, most, context.RequestServices.GetRequiredService<RequestMemory>());

    /// <summary>Reads the body; null with a refusal when it is larger than allowed, takes too long to arrive, or when
    /// there is no room for it beside the others.</summary>
    public static async ValueTask<(RequestBody? Body, Refusal Refusal)> Read(HttpContext context, int most,
        RequestMemory memory)
    {
        // Counted here: Kestrel would count the framing of chunks too, and hang up on who is still sending.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } kestrel)
            kestrel.MaxRequestBodySize = null;
        var announced = context.Request.ContentLength;
        if (announced > most) return (null, TooLarge(most));
        var body = new RequestBody(memory);
        if (!body.TryGrow((int)Math.Max(announced ?? 4096, 256))) return (null, NoRoom(memory));
        try
        {
            // Most bodies are there already.
            var reading = body.ReadAll(context, most);
            var refusal = reading.IsCompleted ? await reading : await Limit(context, reading.AsTask());
            if (refusal is null) return (body, default);
            body.Dispose();
            return (null, refusal.Value);
        }
        catch
        {
            body.Dispose();
            CountError(context);
            throw;
        }
    }

    /// <summary>Leaves the buffer to whoever may still read it: it does not return to its pool.</summary>
    public void Leave()
    {
        _memory.Return(_taken);
        (_buffer, _length, _taken) = ([], 0, 0);
    }

    public void Dispose()
    {
        if (_buffer.Length > 0) BytePool.Return(_buffer);
        Leave();
    }

    private async ValueTask<Refusal?> ReadAll(HttpContext context, int most)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.IsCanceled)
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                return Operations.Late(context.RequestServices.GetRequiredService<Operations>().Options.BodyTimeout);
            }
            if (_length + read.Buffer.Length > most)
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                return TooLarge(most);
            }
            if (_length + read.Buffer.Length > _buffer.Length && !TryGrow(_length + (int)read.Buffer.Length))
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                return NoRoom(_memory);
            }
            read.Buffer.CopyTo(_buffer.AsSpan(_length));
            _length += (int)read.Buffer.Length;
            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) return null;
        }
    }

    private static async Task<Refusal?> Limit(HttpContext context, Task<Refusal?> reading)
    {
        var operations = context.RequestServices.GetRequiredService<Operations>();
        var limit = operations.Options.BodyTimeout;
        try
        {
            if (await operations.EndsWithin(limit, reading, "read_body", StreamOf(context))) return await reading;
            context.Request.BodyReader.CancelPendingRead();
            var refusal = await reading;
            if (refusal is not null) CountError(context);
            return refusal;
        }
        catch (BadHttpRequestException slow) when (slow.StatusCode == StatusCodes.Status408RequestTimeout)
        {
            // The web server's own bound: fewer bytes a second than it waits for.
            CountError(context);
            return new Refusal(ErrorCode.Timeout, slow.Message);
        }
    }

    private static Refusal TooLarge(int most) => new(ErrorCode.EventTooLarge, $"A request has at most {most} bytes.");

    private static Refusal NoRoom(RequestMemory memory) => new(ErrorCode.RateLimited,
        $"The server holds bodies of {memory.Most} bytes, its most.", TimeSpan.FromSeconds(1));

    private static string StreamOf(HttpContext context) => context.GetRouteValue("stream") as string ?? "-";

    private static void CountError(HttpContext context) =>
        context.RequestServices.GetRequiredService<ServerMeter>().ReadErrors.One("of", "request");

    /// <summary>Makes the buffer hold so many bytes; false when there is no room for them beside the
    /// others.</summary>
    private bool TryGrow(int bytes)
    {
        // As the pool has them.
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)bytes);
        if (!_memory.TryTake(size)) return false;
        var larger = BytePool.Rent(size);
        Bytes.Span.CopyTo(larger);
        if (_buffer.Length > 0) BytePool.Return(_buffer);
        _memory.Return(_taken);
        (_buffer, _taken) = (larger, size);
        return true;
    }
}
