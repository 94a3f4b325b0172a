using System.Buffers;
using OrleansEvents.Api.Problems;
using OrleansEvents.Streams;

namespace OrleansEvents.Api.Sse;

/// <summary>A <c>problem</c> frame, as bytes that every connection can be sent.</summary>
internal static class ProblemFrame
{
    public static byte[] Make(TimeProvider time, ErrorCode code, string message, long? retryMs = null)
    {
        var output = new ArrayBufferWriter<byte>();
        ServerFrame.Write(output, "problem", (ErrorCatalogue.Of(code), message, time), static (json, told) =>
        {
            json.WriteString("code", told.Item1.WireName);
            json.WriteString("message", told.message);
            json.WriteString("timestamp", told.time.GetUtcNow().ToString(Problem.TimeFormat, null));
            json.WriteString("component", told.Item1.Component);
            json.WriteString("severity", told.Item1.Severity);
        }, retryMs: retryMs);
        return output.WrittenSpan.ToArray();
    }
}
