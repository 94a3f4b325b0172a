using System.Collections;
using OrleansEvents.Api.Options;
using Xunit;

namespace OrleansEvents.Tests.Host;

public sealed class SettingsTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("settings").FullName;
    private readonly string _work = Directory.CreateTempSubdirectory("settings").FullName;
    private readonly Hashtable _environment = [];

    public void Dispose()
    {
        Directory.Delete(_root, recursive: true);
        Directory.Delete(_work, recursive: true);
    }

    [Fact]
    public void Without_anything_given_the_defaults_hold()
    {
        var options = Load();
        Assert.Equal("http://127.0.0.1:5080", options.Urls);
        Assert.Equal(262_144, options.Limits.EventBytes);
        Assert.Equal(TimeSpan.FromSeconds(10), options.Sse.Heartbeat);
        Assert.Equal(100, options.Streams.Buffer);
        Assert.Null(options.Streams.MaxAge);
        Assert.Equal(TimeSpan.FromDays(7), options.Streams.Retention.Age);
        Assert.Equal("""["error_event",{"type":"server_status","where":{"status":["error","stopped"]}}]""",
            SettingText.Format(options.Streams.Critical));
        Assert.Equal(StoreKind.Sqlite, options.Storage.Store);
        Assert.Empty(options.Cors.Origins);
    }

    [Fact]
    public void The_command_line_beats_the_environment_which_beats_the_files()
    {
        Write(_root, """{"Streams":{"Buffer":1,"BufferBytes":5001,"Backlog":3001,"Durable":true}}""");
        Write(_work, """{"Streams":{"BufferBytes":5002,"Backlog":3002}}""");
        _environment["ORLEANSEVENTS__STREAMS__BACKLOG"] = "3003";
        _environment["OrleansEvents__Sse__Retry"] = "0.5";
        var options = Load("--streams:dedupewindow=7", "--Sse:Retry", "0.25",
            "--data", "/d", "--store", "memory", "--repair");
        Assert.Equal((1, 5002, 3003, true),
            (options.Streams.Buffer, options.Streams.BufferBytes, options.Streams.Backlog, options.Streams.Durable));
        Assert.Equal(TimeSpan.FromSeconds(7), options.Streams.DedupeWindow);
        Assert.Equal(TimeSpan.FromSeconds(0.25), options.Sse.Retry);
        Assert.Equal(("/d", StoreKind.Memory, true),
            (options.Storage.Data, options.Storage.Store, options.Storage.Repair));
    }

    [Fact]
    public void Null_takes_a_bound_away()
    {
        Write(_root, """{"Streams":{"Retention":{"Age":null}}}""");
        var options = Load("--Streams:Retention:Count", "null");
        Assert.Null(options.Streams.Retention.Age);
        Assert.Null(options.Streams.Retention.Count);
    }

    [Fact]
    public void Null_for_a_setting_that_must_have_a_value_is_refused()
    {
        Write(_root, """{"Streams":{"Buffer":null}}""");
        Assert.Equal("appsettings.json: Streams:Buffer: needs a value", Refusal());
    }

    [Fact]
    public void A_list_is_replaced_whole_by_a_stronger_source()
    {
        Write(_root, """{"Cors":{"Origins":["https://a.example","https://b.example"]},"Streams":{"Critical":[]}}""");
        _environment["OrleansEvents__Cors__Origins__0"] = "https://c.example";
        var options = Load();
        Assert.Equal(["https://c.example"], options.Cors.Origins);
        Assert.Empty(options.Streams.Critical);
        Assert.Equal(["https://d.example", "*"], Load("--Cors:Origins", "https://d.example, *").Cors.Origins);
    }

    [Theory]
    [InlineData("""["alarm",{"type":"state","where":{"level":["high","2"],"on":["true"]}}]""")]
    public void Rules_for_critical_events_are_the_same_from_a_file_and_from_the_command_line(string rules)
    {
        Write(_root, "{\"Streams\":{\"Critical\":" + rules + "}}");
        Assert.Equal(rules, SettingText.Format(Load().Streams.Critical));
        File.Delete(Path.Combine(_root, "appsettings.json"));
        Assert.Equal(rules, SettingText.Format(Load("--Streams:Critical", rules).Streams.Critical));
    }

    [Theory]
    [InlineData("--bogus: there is no such option; --help lists them", "--bogus")]
    [InlineData("word: not an option; --help lists them", "word")]
    [InlineData("--Limits:Event: there is no such setting", "--Limits:Event", "1")]
    [InlineData("--Limits: there is no such option; --help lists them", "--Limits", "1")]
    [InlineData("--Limits:EventBytes: '12x' is not a whole number", "--Limits:EventBytes", "12x")]
    [InlineData("--Limits:EventBytes: 3 is not between 256 and 67108864 bytes", "--Limits:EventBytes=3")]
    [InlineData("--Limits:EventBytes: needs a value", "--Limits:EventBytes", "--repair")]
    [InlineData("--data: needs a value", "--data=")]
    [InlineData("--store: 'redis' is not one of sqlite, memory, postgres", "--store", "redis")]
    [InlineData("--sse:retry: '2s' is not a number of seconds", "--sse:retry", "2s")]
    [InlineData("--sse:retry: NaN is not between 0.01 and 300 seconds", "--sse:retry", "NaN")]
    [InlineData("--Streams:Durable: 'yes' is not true or false", "--Streams:Durable", "yes")]
    [InlineData("--Streams:Critical: is not a JSON array", "--Streams:Critical", "[")]
    [InlineData("--Streams:Critical: a rule has no member 'if'", "--Streams:Critical", """[{"type":"a","if":1}]""")]
    [InlineData("--Streams:Buffer:0: there is no such setting", "--Streams:Buffer:0", "1")]
    [InlineData("--urls: 'here' is not an address such as http://127.0.0.1:5080", "--urls", "here")]
    [InlineData("Cors:Origins: 'https://a/b' is not * or an origin such as https://example.org",
        "--Cors:Origins", "https://a/b")]
    [InlineData("Sse:Heartbeat: is not between Sse:HeartbeatMin and Sse:HeartbeatMax",
        "--Sse:Heartbeat", "5", "--Sse:HeartbeatMax", "4")]
    public void What_does_not_fit_is_refused_by_its_name_and_reason(string reason, params string[] args) =>
        Assert.Equal(reason, Refusal(args));

    [Fact]
    public void Unknown_names_of_ours_are_refused_wherever_they_are_given()
    {
        _environment["OrleansEvents__Sse__Hartbeat"] = "1";
        Assert.Equal("OrleansEvents__Sse__Hartbeat: there is no such setting", Refusal());
        _environment.Clear();
        Write(_work, """{"Limits":{"Evnts":1}}""");
        Assert.Equal("appsettings.json: Limits:Evnts: there is no such setting", Refusal());
    }

    [Fact]
    public void What_is_not_ours_in_a_settings_file_is_left_alone()
    {
        Write(_work, """{"AllowedHosts":"*","Logging":{"LogLevel":{"Default":"Debug"}},"Mine":{"A":1}}""");
        var settings = LoadAll();
        Assert.Contains(KeyValuePair.Create("Logging:LogLevel:Default", (string?)"Debug"), settings.Flat);
    }

    [Fact]
    public void A_broken_settings_file_is_refused()
    {
        Write(_work, "{");
        Assert.StartsWith(Path.Combine(_work, "appsettings.json") + ": ", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_page_of_limits_is_what_the_settings_say()
    {
        var path = Given.RepositoryFile("docs/limits.md");
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            File.WriteAllText(path, LimitsPage.Make());
        Assert.Equal(LimitsPage.Make(), File.ReadAllText(path));
    }

    private static void Write(string folder, string json) =>
        File.WriteAllText(Path.Combine(folder, "appsettings.json"), json);

    private ServerOptions Load(params string[] args) => LoadAll(args).Options;

    private Settings LoadAll(params string[] args) =>
        Settings.Load(CommandLine.Parse(args).Settings, _root, _work, _environment);

    private string Refusal(params string[] args) =>
        Assert.Throws<StartRefusedException>(() => Load(args)).Message;
}
