using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using OrleansEvents.Api.Options;

namespace OrleansEvents.Api;

/// <summary>Which failures of a start are the operator's to mend, and how to say so in one line.</summary>
internal static class Refusals
{
    public static StartRefusedException? Of(Exception failure, ServerOptions options)
    {
        for (Exception? cause = failure; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case StartRefusedException refused:
                    return refused;
                case AddressInUseException:
                    return Address("in use by another process");
                case SocketException { SocketErrorCode: SocketError.AccessDenied }:
                    return Address("not allowed for this user");
                case SocketException { SocketErrorCode: SocketError.AddressNotAvailable }:
                    return Address("not an address of this machine");
            }
        }

        // What Kestrel finds wrong with an address or a certificate has no type of its own.
        return failure is InvalidOperationException or IOException && failure.Source?.Contains("Kestrel",
            StringComparison.Ordinal) == true ? new StartRefusedException($"--urls: {failure.Message}", failure) : null;

        StartRefusedException Address(string reason) => new($"--urls: {options.Urls} is {reason}", failure);
    }
}
