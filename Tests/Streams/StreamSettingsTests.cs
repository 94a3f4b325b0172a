using System.Text;
using FsCheck;
using FsCheck.Fluent;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class StreamSettingsTests
{
    // Broken into lines here only.
    private static readonly string _contractExample = """
        {"buffer":100,"bufferBytes":1048576,"maxAge":null,"durable":false,
        "retention":{"count":10000,"bytes":null,"age":604800},
        "critical":["error_event",{"type":"server_status","where":{"status":["error","stopped"]}}],
        "backlog":10000,"dedupeWindow":120,"idleAfter":900,"validate":false}
        """.ReplaceLineEndings("");

    [Fact]
    public void The_defaults_are_the_contracts_example() =>
        Assert.Equal(_contractExample, StreamSettings.Default.ToJson());

    [Fact]
    public void Stored_text_reads_back_as_the_same_settings()
    {
        Assert.Equal(StreamSettings.Default, StreamSettings.Parse(_contractExample));
        Assert.Throws<FormatException>(() => StreamSettings.Parse("""{"buffer":0}"""));
    }

    [Fact]
    public void Any_subset_of_members_is_merged_onto_what_there_is()
    {
        var changed = Applied(StreamSettings.Default, """{"durable":true,"retention":{"age":null},"maxAge":0.25}""");
        Assert.Equal(StreamSettings.Default with
        {
            Durable = true,
            MaxAge = TimeSpan.FromMilliseconds(250),
            Retention = new StreamRetention { Age = null },
        }, changed);
        changed = Applied(changed, """{"retention":{"count":5,"bytes":8192},"critical":[]}""");
        Assert.Equal(new StreamRetention { Count = 5, Bytes = 8192, Age = null }, changed.Retention);
        Assert.True(changed.Durable);
        Assert.Equal(CriticalRules.None, changed.Critical);
        Assert.Equal(changed, Applied(changed, "{}"));
    }

    [Theory]
    [InlineData("""{"buffer":1}""")]
    [InlineData("""{"buffer":10000000}""")]
    [InlineData("""{"bufferBytes":4096}""")]
    [InlineData("""{"bufferBytes":1073741824}""")]
    [InlineData("""{"maxAge":0.001}""")]
    [InlineData("""{"maxAge":315360000}""")]
    [InlineData("""{"dedupeWindow":86400}""")]
    [InlineData("""{"idleAfter":1.5e1}""")]
    [InlineData("""{"backlog":1000000}""")]
    [InlineData("""{"retention":{"count":null,"bytes":1125899906842624,"age":null}}""")]
    [InlineData("""{"validate":false}""")]
    [InlineData("\ufeff {\"buffer\":1} ")]
    public void Values_at_their_bounds_are_accepted(string json) => Applied(StreamSettings.Default, json);

    [Theory]
    [InlineData("""{"buffer":0}""", "buffer")]
    [InlineData("""{"buffer":10000001}""", "buffer")]
    [InlineData("""{"buffer":1.5}""", "buffer")]
    [InlineData("""{"buffer":"1"}""", "buffer")]
    [InlineData("""{"buffer":null}""", "buffer")]
    [InlineData("""{"buffer":1e400}""", "buffer")]
    [InlineData("""{"buffer":1,"buffer":2}""", "buffer")]
    [InlineData("""{"bufferBytes":4095}""", "bufferBytes")]
    [InlineData("""{"bufferBytes":1073741825}""", "bufferBytes")]
    [InlineData("""{"maxAge":0}""", "maxAge")]
    [InlineData("""{"maxAge":0.0004}""", "maxAge")]
    [InlineData("""{"maxAge":-1}""", "maxAge")]
    [InlineData("""{"maxAge":1e99}""", "maxAge")]
    [InlineData("""{"maxAge":"1 h"}""", "maxAge")]
    [InlineData("""{"durable":1}""", "durable")]
    [InlineData("""{"durable":null}""", "durable")]
    [InlineData("""{"retention":null}""", "retention")]
    [InlineData("""{"retention":{"count":0}}""", "retention.count")]
    [InlineData("""{"retention":{"bytes":1}}""", "retention.bytes")]
    [InlineData("""{"retention":{"age":"7d"}}""", "retention.age")]
    [InlineData("""{"retention":{"size":1}}""", "retention.size")]
    [InlineData("""{"retention":{"count":1,"count":1}}""", "retention.count")]
    [InlineData("""{"retention":{"count":null,"age":null}}""", "retention")]
    [InlineData("""{"critical":"error_event"}""", "critical")]
    [InlineData("""{"critical":["a",5]}""", "rule 1")]
    [InlineData("""{"backlog":0}""", "backlog")]
    [InlineData("""{"dedupeWindow":null}""", "dedupeWindow")]
    [InlineData("""{"dedupeWindow":86401}""", "dedupeWindow")]
    [InlineData("""{"idleAfter":false}""", "idleAfter")]
    [InlineData("""{"validate":true}""", "schema validation is not available in this server")]
    [InlineData("""{"validate":0}""", "validate")]
    [InlineData("""{"Buffer":1}""", "Buffer")]
    [InlineData("""{"buffer":1,"colour":2}""", "colour")]
    [InlineData("[]", "object")]
    [InlineData("7", "object")]
    [InlineData("", "not JSON")]
    [InlineData("""{"buffer":1""", "not JSON")]
    [InlineData("""{"buffer":1,}""", "not JSON")]
    [InlineData("""{"buffer":1}{}""", "not JSON")]
    [InlineData("""{/**/"buffer":1}""", "not JSON")]
    [InlineData("""{"\ud800":1}""", "surrogate")]
    public void A_wrong_member_is_refused_by_its_name(string json, string named)
    {
        Assert.False(StreamSettings.Default.TryApply(Encoding.UTF8.GetBytes(json), out _, out var refusal));
        Assert.Equal(ErrorCode.InvalidInput, refusal.Code);
        Assert.Contains(named, refusal.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_settings_read_back_from_their_text()
    {
        var durations = Gen.Choose(1, 86_400_000).Select(ms => TimeSpan.FromMilliseconds(ms));
        var settings =
            from buffer in Gen.Choose(1, StreamSettings.MaxBuffer)
            from bytes in Gen.Choose(StreamSettings.MinBufferBytes, StreamSettings.MaxBufferBytes)
            from age in durations
            from window in durations
            from durable in Gen.Elements(true, false)
            select new StreamSettings
            {
                Buffer = buffer,
                BufferBytes = bytes,
                MaxAge = durable ? age : null,
                Durable = durable,
                Retention = new StreamRetention { Count = durable ? null : buffer, Bytes = bytes, Age = window },
                Critical = durable ? CriticalRules.None : CriticalRules.Default,
                DedupeWindow = window,
                IdleAfter = age,
            };
        Prop.ForAll(settings.ToArbitrary(), s => StreamSettings.Parse(s.ToJson()) == s).QuickCheckThrowOnFailure();
    }

    private static StreamSettings Applied(StreamSettings to, string json)
    {
        Assert.True(to.TryApply(Encoding.UTF8.GetBytes(json), out var settings, out var refusal), refusal.Detail);
        return settings;
    }
}
