using System.Text.Json;

namespace OrleansEvents.Streams;

/// <summary>Reads members of a subscriber's policy over those there are.</summary>
internal sealed class SubscriberPolicyReader(SubscriberPolicy policy) : SettingMembers
{
    private SubscriberPolicy _policy = policy;

    protected override string Owner => "subscriber";

    /// <summary>The policy that comes of it, or null with a sentence that says what is wrong.</summary>
    public SubscriberPolicy? Read(ReadOnlyMemory<byte> json, out string? problem)
    {
        ReadText(json, Take);
        problem = Problem;
        return problem is null ? _policy : null;
    }

    private void Take(JsonElement value, string name) => _policy = name switch
    {
        "ackWait" => _policy with { AckWait = Duration(value, name, SubscriberPolicy.MaxWait) },
        "maxAttempts" => _policy with { MaxAttempts = (int)Whole(value, name, 1, SubscriberPolicy.MostAttempts) },
        "backoff" => _policy with { Backoff = Backoff(value, name) },
        "maxInFlight" => _policy with { MaxInFlight = (int)Whole(value, name, 1, SubscriberPolicy.MostInFlight) },
        "mode" => _policy with
        {
            Mode = Word(value, name, "broadcast", "compete") == "compete" ? SubscriberMode.Compete : default,
        },
        "owed" => _policy with { OwesAll = Word(value, name, "critical", "all") == "all" },
        "from" => From(value, name),
        "types" => _policy with { Types = Types(value, name) },
        "overflow" => _policy with
        {
            Overflow = Word(value, name, "lapse", "block") == "block" ? OverflowRule.Block : default,
        },
        "maxPending" => _policy with { MaxPending = (int)Whole(value, name, 1, SubscriberPolicy.MostPending) },
        "maxAge" => _policy with { MaxAge = Duration(value, name, StreamSettings.MaxDuration) },
        "expireAfter" => _policy with { ExpireAfter = Duration(value, name, StreamSettings.MaxDuration) },
        "webhook" => _policy with { Webhook = Webhook(value) },
        _ => Unknown(name, _policy),
    };

    private TimeSpan[] Backoff(JsonElement value, string name)
    {
        if (value.ValueKind == JsonValueKind.Array
            && value.GetArrayLength() is > 0 and <= SubscriberPolicy.MostBackoffs)
            return [.. value.EnumerateArray().Select(each => Duration(each, name, SubscriberPolicy.MaxWait))];
        return Refuse($"\"{name}\" must be an array of 1 to {SubscriberPolicy.MostBackoffs} numbers of seconds.",
            new TimeSpan[1]);
    }

    private SubscriberPolicy From(JsonElement value, string name)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            if (value.ValueEquals("all")) return _policy with { From = OwedFrom.All };
            if (value.ValueEquals("new")) return _policy with { From = OwedFrom.New };
            if (Cursor.TryParse(value.GetString(), out var cursor))
                return _policy with { From = OwedFrom.Cursor, FromCursor = cursor };
        }
        return Refuse($"\"{name}\" must be all, new or a cursor.", _policy);
    }

    private string[] Types(JsonElement value, string name)
    {
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() <= SubscriberPolicy.MostTypes
            && value.EnumerateArray().All(each => each.ValueKind == JsonValueKind.String
                && EventType.TryEncode(each.GetString(), out _)))
            return [.. value.EnumerateArray().Select(each => each.GetString()!).Distinct()];
        return Refuse($"\"{name}\" must be an array of at most {SubscriberPolicy.MostTypes} types.",
            Array.Empty<string>());
    }

    private WebhookPolicy? Webhook(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Null) return null;
        var webhook = _policy.Webhook ?? new WebhookPolicy();
        EachMember(value, "webhook.", (member, name) => webhook = name switch
        {
            "webhook.url" => webhook with { Url = Text(member, name, WebhookPolicy.MaxUrl) },
            "webhook.secret" => webhook with { Secret = Text(member, name, WebhookPolicy.MaxSecret) },
            "webhook.format" => webhook with
            {
                AsCloudEvent = Word(member, name, "event", "cloudevents") == "cloudevents",
            },
            "webhook.timeout" => webhook with { Timeout = Duration(member, name, WebhookPolicy.MaxTimeout) },
            _ => Unknown(name, webhook),
        });
        if (webhook.Url.Length == 0 || webhook.Secret.Length == 0)
            Refuse("\"webhook\" must have a url and a secret.");
        return webhook;
    }
}
