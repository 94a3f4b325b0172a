using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace OrleansEvents.Tests.Webhooks;

/// <summary>The page's example of a receiver's check, as a program would hold it.</summary>
internal static class ReceiverSnippet
{
    // begin
    public static bool IsSigned(IHeaderDictionary headers, byte[] body, string secret, DateTimeOffset now)
    {
        string id = headers["webhook-id"].ToString(), time = headers["webhook-timestamp"].ToString();
        if (!long.TryParse(time, out var seconds) || Math.Abs(now.ToUnixTimeSeconds() - seconds) > 300)
            return false;
        var key = Convert.FromBase64String(secret["whsec_".Length..]);
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{time}."), .. body];
        var wanted = Encoding.ASCII.GetBytes($"v1,{Convert.ToBase64String(HMACSHA256.HashData(key, signed))}");
        return headers["webhook-signature"].ToString().Split(' ')
            .Any(given => CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(given), wanted));
    }
    // end
}
