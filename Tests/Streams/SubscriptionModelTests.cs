using System.Globalization;
using Xunit;

namespace OrleansEvents.Tests.Streams;

/// <summary>A million steps and more of one subscriber, beside a model. <c>TEST_SEED</c> runs one history again,
/// <c>TEST_LONG</c> ten times as many.</summary>
public sealed class SubscriptionModelTests(ITestOutputHelper output)
{
    private const int Steps = 2500;
    private static readonly int _histories = Number("TEST_LONG") is null ? 400 : 4000;

    /// <summary>Of a thousand steps so many; whether what waits is given out at its end.</summary>
    private static readonly (int Weight, string Name, bool Dispatches, Action<SubscriptionModel> Act)[] _acts =
    [
        (2, "Crash", false, model => model.Crash()),
        (128, "Publish", true, model => model.Publish()),
        (128, "Pass", false, model => model.Pass()),
        (150, "Take", false, model => model.Take()),
        (130, "Deliver", false, model => model.Deliver()),
        (90, "Line", false, model => model.Line()),
        (10, "GiveBack", false, model => model.GiveBack()),
        (25, "Attach", true, model => model.Attach()),
        (20, "Detach", true, model => model.Detach()),
        (85, "Acknowledge", false, model => model.Acknowledge()),
        (15, "AcknowledgeUpTo", false, model => model.AcknowledgeUpTo()),
        (35, "Nack", true, model => model.Nack()),
        (80, "BeginSave", false, model => model.BeginSave()),
        (60, "Saved", true, model => model.Saved(happens: true, succeeds: true)),
        (8, "Saved, but told failed", true, model => model.Saved(happens: true, succeeds: false)),
        (8, "Not saved", true, model => model.Saved(happens: false, succeeds: false)),
        (6, "Change", false, model => model.Change()),
        (6, "Replay", false, model => model.Replay()),
        (2, "Purge", false, model => model.Purge()),
        (3, "Lapse", true, model => model.Lapse()),
        (6, "Trim", false, model => model.Trim()),
        (3, "Miss", true, model => model.Miss()),
    ];

    [Fact]
    public void A_million_steps_break_no_promise()
    {
        var only = Number("TEST_SEED");
        var (given, acknowledged, parked, crashes) = (0L, 0L, 0L, 0L);
        for (var seed = only ?? 1; seed <= (only ?? _histories); seed++)
        {
            var trace = new List<string>();
            try
            {
                var model = Run(seed, trace);
                given += model.Given;
                acknowledged += model.Acknowledged;
                parked += model.DeadLetters;
                crashes += model.Crashes;
            }
            catch (Exception e)
            {
                output.WriteLine(string.Join('\n', trace.TakeLast(only is null ? 12 : 400)));
                Assert.Fail($"TEST_SEED={seed}, step {trace.Count}: {e}");
            }
        }
        output.WriteLine($"{given} given, {acknowledged} acknowledged, {parked} parked, {crashes} crashes");
        // It is about something.
        Assert.True(only is not null || given > 50_000 && acknowledged > 25_000 && parked > 5_000 && crashes > 500);
    }

    private static SubscriptionModel Run(int seed, List<string> trace)
    {
        var model = new SubscriptionModel(seed);
        var random = new Random(seed);
        for (var step = 0; step < Steps; step++)
        {
            var pick = random.Next(1000);
            var (_, name, dispatches, act) = _acts.First(each => (pick -= each.Weight) < 0);
            trace.Add($"{step}: {name}");
            act(model);
            if (Number("TEST_SEED") is not null) trace.Add(model.ToString());
            model.Check(dispatches);
            if (step % 16 == 0) model.CheckAll();
        }
        trace.Add("Drain");
        model.Drain();
        return model;
    }

    private static int? Number(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var number)
            ? number : null;
}
