using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class PublishBodyPropertyTests
{
    private static readonly string[] _texts =
        ["a", "error_event", "\"quoted\"", "back\\slash", "é", "😀", "tab in\u00a0between", "</script>", "{}"];

    private static readonly string[] _data =
        ["null", "1e-7", "\"\\u0000\\r\\n\"", "[]", "{\"a\":{\"b\":[true,\"\\\\\"]}}", "[\"😀\", \"\\ud83d\\ude00\"]"];

    private static readonly Gen<Sent> _sent =
        from type in Gen.Elements(_texts)
        from version in Gen.Choose(1, 999)
        from data in Gen.Elements(_data)
        from critical in Gen.Elements<bool?>(null, true, false)
        from key in Gen.Elements([null, .. _texts])
        from ms in Gen.Choose(0, int.MaxValue)
        let time = DateTimeOffset.UnixEpoch.AddMilliseconds(ms)
        select new Sent(type, version, data, critical, key, ms % 3 == 0 ? null : time);

    [Fact]
    public void Events_come_back_as_they_were_sent_by_array_and_by_lines()
    {
        Prop.ForAll(_sent.NonEmptyListOf().ToArbitrary(), sent =>
        {
            var events = sent.Select(s => s.Json()).ToList();
            return Parsed("[" + string.Join(",\n", events) + "]", PublishForm.Json).SequenceEqual(sent)
                && Parsed(string.Join("\r\n", events), PublishForm.Ndjson).SequenceEqual(sent);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_damaged_body_is_read_or_refused_and_never_throws()
    {
        var damage = from sent in _sent.NonEmptyListOf()
                     from at in Gen.Choose(0, int.MaxValue)
                     from with in Gen.Choose(0, 255)
                     from cut in Gen.Choose(0, 3)
                     from form in Gen.Elements(PublishForm.Json, PublishForm.Ndjson)
                     select (sent, at, with, cut, form);
        Prop.ForAll(damage.ToArbitrary(), d =>
        {
            var json = d.form == PublishForm.Json;
            var text = string.Join(json ? "," : "\n", d.sent.Select(s => s.Json()));
            var bytes = Encoding.UTF8.GetBytes(json ? $"[{text}]" : text);
            bytes[d.at % bytes.Length] = (byte)d.with;
            var body = bytes.AsMemory(0, d.cut == 0 ? d.at % bytes.Length : bytes.Length);
            if (!PublishBody.TryParse(body, d.form, PublishLimits.Default, out var parsed, out var refusal))
                return refusal.Code == ErrorCode.InvalidInput;
            using (parsed) return parsed.Events.ToArray().All(IsSound);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    private static bool IsSound(NewEvent e)
    {
        JsonNode.Parse(e.Data.Span);
        JsonSerializer.Deserialize<string>((byte[])[(byte)'"', .. e.Type.Span, (byte)'"']);
        return e.Data.Span.IndexOfAny((byte)'\r', (byte)'\n') < 0 && e.Version is >= 1 and <= 999;
    }

    private static List<Sent> Parsed(string text, PublishForm form)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Assert.True(PublishBody.TryParse(bytes, form, PublishLimits.Default, out var body, out var refusal),
            refusal.Detail);
        using (body)
        {
            return [.. body.Events.ToArray().Select(e => new Sent(
                JsonSerializer.Deserialize<string>((byte[])[(byte)'"', .. e.Type.Span, (byte)'"'])!,
                e.Version, Encoding.UTF8.GetString(e.Data.Span), e.Critical, e.Key, e.Time))];
        }
    }

    public sealed record Sent(string Type, int Version, string Data, bool? Critical, string? Key, DateTimeOffset? Time)
    {
        public string Json()
        {
            var members = new List<string>
            {
                $"\"type\":{JsonSerializer.Serialize(Type)}", $"\"version\":{Version}", $"\"data\":{Data}",
            };
            if (Critical is { } critical) members.Add($"\"critical\":{(critical ? "true" : "false")}");
            if (Key is not null) members.Add($"\"key\":{JsonSerializer.Serialize(Key)}");
            if (Time is { } time) members.Add($"\"time\":\"{time:yyyy-MM-ddTHH:mm:ss.fffZ}\"");
            // Any order will do; this one is another for another event.
            return "{" + string.Join(", ", members.OrderBy(m => m.Length * 7 % 5)) + "}";
        }
    }
}
