using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace OrleansEvents.Api.Webhooks;

/// <summary>The secrets of one endpoint, and signing with them as Standard Webhooks 1.0 has it. More than one, with
/// spaces between, while a receiver changes from one to the next: each makes a signature.</summary>
internal sealed class WebhookSecrets
{
    private const string Prefix = "whsec_";
    private const int MostSecrets = 4;
    private const int LeastBytes = 24;
    private const int MostBytes = 64;

    private readonly IReadOnlyList<byte[]> _keys;

    private WebhookSecrets(IReadOnlyList<byte[]> keys) => _keys = keys;

    public static string Form { get; } =
        $"1 to {MostSecrets} secrets with spaces between, each {Prefix} and base64 of {LeastBytes}-{MostBytes} bytes";

    public static bool TryParse(string text, [NotNullWhen(true)] out WebhookSecrets? secrets)
    {
        secrets = null;
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is 0 or > MostSecrets) return false;
        var keys = new List<byte[]>(words.Length);
        foreach (var word in words)
        {
            if (!word.StartsWith(Prefix, StringComparison.Ordinal) || KeyOf(word[Prefix.Length..]) is not { } key)
                return false;
            keys.Add(key);
        }
        secrets = new WebhookSecrets(keys);
        return true;
    }

    /// <summary>The value of <c>webhook-signature</c>.</summary>
    public string Sign(string id, long timestamp, ReadOnlySpan<byte> body)
    {
        var head = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}."));
        var header = new StringBuilder();
        foreach (var key in _keys)
        {
            using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
            hmac.AppendData(head);
            hmac.AppendData(body);
            if (header.Length > 0) header.Append(' ');
            header.Append("v1,").Append(Convert.ToBase64String(hmac.GetHashAndReset()));
        }
        return header.ToString();
    }

    private static byte[]? KeyOf(string base64)
    {
        var key = new byte[Base64.GetMaxDecodedFromUtf8Length(base64.Length)];
        return Convert.TryFromBase64String(base64, key, out var written) && written is >= LeastBytes and <= MostBytes
            ? key[..written] : null;
    }
}
