using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class CloudEventPropertyTests
{
    private const string Whole = """
        {"specversion":"1.0","id":"a\u0041","source":"/s","type":"t\"","subject":"é","time":"2026-01-02T03:04:05Z",
         "datacontenttype":"text/plain; charset=\"utf-8\"","dataschema":"a:b","ext":-5,"flag":true,"none":null,
         "traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data_base64":"AP\/+"}
        """;

    [Fact]
    public void A_damaged_CloudEvent_is_read_or_refused_and_never_throws()
    {
        var damage = from at in Gen.Choose(0, int.MaxValue)
                     from with in Gen.Choose(0, 255)
                     from cut in Gen.Choose(0, 3)
                     from form in Gen.Elements(PublishForm.CloudEvent, PublishForm.CloudEvents)
                     select (at, with, cut, form);
        Prop.ForAll(damage.ToArbitrary(), d =>
        {
            var bytes = Encoding.UTF8.GetBytes(d.form == PublishForm.CloudEvent ? Whole : $"[{Whole},{Whole}]");
            bytes[d.at % bytes.Length] = (byte)d.with;
            var body = bytes.AsMemory(0, d.cut == 0 ? d.at % bytes.Length : bytes.Length);
            if (!PublishBody.TryParse(body, d.form, PublishLimits.Default, out var parsed, out var refusal))
                return refusal.Code == ErrorCode.InvalidInput;
            using (parsed) return parsed.Events.ToArray().All(IsSound);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Fact]
    public void Any_header_and_any_body_are_read_or_refused_and_never_throw()
    {
        var text = from parts in Gen.Elements("a", "%", "%4", "%41", "%C3", "%A9", "\"", "\\", "\u00e9", "\ud83d",
                       "\ude00", "\0", " ", "/", ";", "=", "json", "text", "1.0", "{", "}", "[1]").ListOf()
                   select string.Concat(parts);
        var name = Gen.OneOf(text,
            Gen.Elements("id", "Source", "type", "specversion", "time", "subject", "dataschema"));
        var message = from headers in name.Zip(text).ListOf()
                      from type in Gen.OneOf(text, Gen.Elements("application/json", "text/plain", "a/b", null))
                      from body in text
                      from whole in Gen.Elements(true, false)
                      select (headers, type, body, whole);
        Prop.ForAll(message.ToArbitrary(), m =>
        {
            KeyValuePair<string, string>[] required = m.whole
                ? [new("specversion", "1.0"), new("id", "1"), new("source", "/s"), new("type", "t")] : [];
            var attributes = m.headers.Select(each => new KeyValuePair<string, string>(each.Item1, each.Item2));
            if (!PublishBody.TryParseBinary([.. required, .. attributes], m.type, Encoding.UTF8.GetBytes(m.body),
                PublishLimits.Default, out var parsed, out var refusal)) return refusal.Code == ErrorCode.InvalidInput;
            using (parsed) return parsed.Events.ToArray().All(IsSound);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Fact]
    public void A_trace_context_allocates_for_the_request_and_not_for_its_events()
    {
        const string Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"type\":\"t\",\"data\":1}\n", 1000)));
        for (var round = 0; round < 3; round++)
        {
            Assert.True(PublishBody.TryParse(text, PublishForm.Ndjson, PublishLimits.Default, out var body, out _));
            using (body)
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                body.WithTraceParent(Trace);
                var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                // The first round may pay for what is made once.
                if (round > 0) Assert.InRange(allocated, 1, 200);
                Assert.All(body.Events.ToArray(),
                    each => Assert.Equal(Trace, Encoding.UTF8.GetString(each.TraceParent.Span)));
            }
        }
    }

    private static bool IsSound(NewEvent e)
    {
        var cloudEvent = JsonSerializer.Deserialize<JsonElement>(e.CloudEvent.Span);
        JsonSerializer.Deserialize<JsonElement>(e.Data.Span);
        return e.Key is { Length: > 0 } && cloudEvent.GetProperty("specversion").GetString() == "1.0"
            && e.Data.Span.IndexOfAny((byte)'\r', (byte)'\n') < 0 && e.TraceParent.Length is 0 or TraceParent.Length
            && e.CloudEvent.Span.IndexOfAnyInRange((byte)0, (byte)31) < 0;
    }
}
