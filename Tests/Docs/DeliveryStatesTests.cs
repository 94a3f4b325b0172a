using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Docs;

/// <summary>The life of an owed event as docs/delivery.md draws and tells it is the one that it has.</summary>
public sealed partial class DeliveryStatesTests
{
    private static readonly TimeSpan s_ackWait = SubscriberPolicy.Default.AckWait;
    private static readonly TimeSpan s_backoff = SubscriberPolicy.Default.Backoff[0];
    private static readonly SubscriberPolicy s_once = SubscriberPolicy.Default with { MaxAttempts = 1 };
    private static readonly SubscriberPolicy s_narrow = SubscriberPolicy.Default with { MaxPending = 2 };
    private static readonly string[] s_owed = ["Waiting", "Sending", "InFlight", "Retrying"];

    /// <summary>Ways from one state to another, each from a fresh event that has come to the first.</summary>
    private static readonly Dictionary<string, Func<OwedLife>[]> s_ways = Ways();

    public static TheoryData<string> Transitions => new(Table().Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Transitions))]
    public void Each_transition_of_the_table_happens(string way)
    {
        Assert.True(s_ways.TryGetValue(way, out var causes), $"No scenario goes {way}");
        Assert.All(causes, cause => Assert.Equal(way.Split(" → ")[1], cause().State));
    }

    [Fact]
    public void The_table_tells_every_transition_that_is_known() => Assert.Equal(s_ways.Keys.Order(), Table().Order());

    [Fact]
    public void The_diagram_and_the_table_have_the_states_of_the_engine()
    {
        Assert.Equal(OwedLife.States.Order(), Drawn("g", "id").Order());
        Assert.Equal(OwedLife.States.Order(), Table().SelectMany(way => way.Split(" → ")).Where(name => name != "–")
            .Distinct().Order());
    }

    [Fact]
    public void The_diagram_has_the_transitions_of_the_table()
    {
        var drawn = Elements("path").Where(path => path.Attribute("data-to") is not null)
            .SelectMany(path => Pairs(Names(path.Attribute("data-from")!.Value), Names(path.Attribute("data-to")!
                .Value)));
        Assert.Equal(Table().Order(), drawn.Order());
    }

    [Fact]
    public void An_event_that_is_never_acknowledged_has_the_time_line_of_the_page()
    {
        var told = TimeLine().Matches(Page).Select(row => $"{row.Groups[1].Value} {row.Groups[2].Value}").ToList();
        var life = OwedLife.At("").Connect().Owe();
        var (seen, second, before) = (new List<string>(), 0, "");
        while (life.State != "Parking")
        {
            if (life.State == "Waiting" && life.Subject.Take(0, 1).Count > 0) life.Sent();
            if (life.State != before) seen.Add(string.Create(CultureInfo.InvariantCulture, $"{second} {life.State}"));
            before = life.State;
            life.Wait(TimeSpan.FromSeconds(1));
            second++;
        }
        seen.Add($"{second} {life.State}");
        Assert.Equal(seen, told);
    }

    private static string Page => Documents.Read("docs/delivery.md");

    private static Dictionary<string, Func<OwedLife>[]> Ways()
    {
        var ways = new Dictionary<string, Func<OwedLife>[]>
        {
            ["– → Waiting"] = [() => OwedLife.At("").Owe(), () => OwedLife.At("").Owe().Restart(),
                () => OwedLife.At("InFlight").Restart()],
            ["– → InFlight"] = [() => OwedLife.At("InFlight", policy: s_once).Restart()],
            ["Waiting → Sending"] = [() => OwedLife.At("Waiting").Connect().Take()],
            ["Sending → Waiting"] = [() => OwedLife.At("Sending").Leave(), () => OwedLife.At("Sending").GiveBack()],
            ["Sending → InFlight"] = [() => OwedLife.At("Sending").Sent()],
            ["InFlight → Retrying"] = [() => OwedLife.At("InFlight").Nack(),
                () => OwedLife.At("InFlight").Wait(s_ackWait), () => OwedLife.At("InFlight").Leave()],
            ["Retrying → Waiting"] = [() => OwedLife.At("Retrying").Wait(s_backoff)],
            ["Parking → Acknowledging"] = [() => OwedLife.At("Parking").Acknowledge()],
            ["Acknowledging → Parking"] = [() => OwedLife.At("Parking").Acknowledge().Save(succeeds: false)],
            ["Acknowledging → Done"] = [() => OwedLife.At("Acknowledging").Save()],
            ["Parking → Done"] = [() => OwedLife.At("Parking").Save(), () => OwedLife.At("Parking").Missing()],
            ["Done → Waiting"] = [() => OwedLife.At("Done").Replay()],
        };
        foreach (var state in s_owed)
        {
            ways[$"{state} → Parking"] = [() => OwedLife.At(state).Lapse(),
                () => OwedLife.At(state, policy: s_narrow).Overflow(),
                () => OwedLife.At(state).Wait(SubscriberPolicy.Default.MaxAge)];
            ways[$"Acknowledging → {state}"] = [() => OwedLife.At(state).Acknowledge().Save(succeeds: false)];
            ways[$"{state} → Acknowledging"] = [() => OwedLife.At(state).Acknowledge()];
            ways[$"{state} → Done"] = [() => OwedLife.At(state).Missing(),
                () => OwedLife.At(state, isOrdinary: true).Wait(SubscriptionLimits.Default.OrdinaryAge)];
        }
        ways["InFlight → Parking"] = [.. ways["InFlight → Parking"],
            () => OwedLife.At("InFlight", policy: s_once).Nack(),
            () => OwedLife.At("InFlight", policy: s_once).Wait(s_ackWait),
            () => OwedLife.At("InFlight", policy: s_once).Leave()];
        return ways;
    }

    private static IEnumerable<string> Table() => Row().Matches(Page).SelectMany(row =>
        Pairs(Quoted(row.Groups[1].Value), Quoted(row.Groups[2].Value)));

    private static string[] Quoted(string cell) => [.. Documents.Quoted(cell)];

    private static string[] Names(string list) => list.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static IEnumerable<string> Pairs(string[] from, string[] to) =>
        from.DefaultIfEmpty("–").SelectMany(_ => to, (first, second) => $"{first} → {second}");

    private static IEnumerable<XElement> Elements(string name) =>
        XDocument.Parse(Documents.Read("docs/images/delivery.svg")).Descendants()
            .Where(element => element.Name.LocalName == name);

    private static IEnumerable<string> Drawn(string element, string attribute) =>
        Elements(element).Select(each => each.Attribute(attribute)?.Value).OfType<string>();

    /// <summary>From, to, and what happens.</summary>
    [GeneratedRegex(@"^\| (–|(?:`\w+`(?:, )?)+) \| ((?:`\w+`(?:, )?)+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    /// <summary>A second and the state that it brings.</summary>
    [GeneratedRegex(@"^\| (\d+) \| `(\w+)` \|", RegexOptions.Multiline)]
    private static partial Regex TimeLine();
}
