using System.Globalization;
using System.Text;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>What an event gets that does not say it itself.</summary>
internal sealed record EventDefaults(string Type, bool? Critical, string? Key)
{
    public NewEvent Event(string json) =>
        new(Type, Encoding.UTF8.GetBytes(json)) { Critical = Critical, Key = Key };

    public string? KeyOf(long line) =>
        Key is null ? null : string.Create(CultureInfo.InvariantCulture, $"{Key}/{line}");
}
