using System.Buffers;
using System.IO.Pipelines;
using System.Reflection;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace OrleansEvents.Api;

/// <summary>
/// HTTP/1.1 and HTTP/2 with prior knowledge on one cleartext port. Kestrel takes every connection without TLS for
/// HTTP/1.1; this looks at the first bytes, and tells it of a connection that opens with the preface of HTTP/2.
/// </summary>
/// <remarks>
/// Kestrel reads the protocol of a single connection from a feature that is not public. Where a later Kestrel has it no
/// more, connections go on as HTTP/1.1, which answers the preface with HTTP_1_1_REQUIRED, and the start logs a warning.
/// </remarks>
internal sealed class Http2Cleartext(ConnectionDelegate next, TimeSpan firstByteTimeout)
{
    private static readonly byte[] s_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();
    private static readonly Type? s_featureType = typeof(KestrelServerOptions).Assembly
        .GetType("Microsoft.AspNetCore.Server.Kestrel.Core.Internal.HttpProtocolsFeature");
    private static readonly object? s_http2Only = MakeFeature();

    public static bool IsAvailable => s_http2Only is not null;

    public async Task OnConnectionAsync(ConnectionContext connection)
    {
        try
        {
            if (await OpensWithPreface(connection))
                connection.Features[s_featureType!] = s_http2Only;
        }
        catch (Exception end) when (end is OperationCanceledException or IOException)
        {
            // Silent for too long, reset, or the server stops: returning closes the connection.
            return;
        }

        await next(connection);
    }

    // Kestrel's own timeouts begin behind this step, so a connection that says nothing is ended here.
    private async Task<bool> OpensWithPreface(ConnectionContext connection)
    {
        var lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>();
        var stop = lifetime?.ConnectionClosedRequested ?? CancellationToken.None;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(firstByteTimeout);
        var input = connection.Transport.Input;
        while (true)
        {
            var read = await input.ReadAsync(limit.Token);
            var matched = Match(read.Buffer);
            var isUndecided = matched > 0 && matched < s_preface.Length && matched == read.Buffer.Length;
            if ((isUndecided || read.Buffer.IsEmpty) && !read.IsCompleted)
            {
                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }

            input.AdvanceTo(read.Buffer.Start);
            return matched == s_preface.Length;
        }
    }

    private static int Match(ReadOnlySequence<byte> input)
    {
        var matched = 0;
        foreach (var part in input)
        {
            var rest = s_preface.AsSpan(matched);
            var same = part.Span.CommonPrefixLength(rest);
            matched += same;
            if (same < part.Length)
                break;
        }

        return matched;
    }

    private static object? MakeFeature()
    {
        try
        {
            return s_featureType is null ? null : Activator.CreateInstance(s_featureType, HttpProtocols.Http2);
        }
        catch (Exception failure) when (failure is MemberAccessException or TargetInvocationException)
        {
            return null;
        }
    }
}
