using FsCheck;
using FsCheck.Fluent;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Streams;

public sealed class EventStreamModelTests
{
    private static readonly Gen<Step> _step =
        from kind in Gen.Frequency(
            (12, Gen.Constant(StepKind.Append)), (6, Gen.Constant(StepKind.NextCommit)), (6,
                Gen.Constant(StepKind.CommitDone)),
            (4, Gen.Constant(StepKind.Tick)), (3, Gen.Constant(StepKind.BeginReopen)), (3,
                Gen.Constant(StepKind.Reopened)),
            (1, Gen.Constant(StepKind.Reserve)), (1, Gen.Constant(StepKind.Configure)), (1,
                Gen.Constant(StepKind.EvictAll)),
            (1, Gen.Constant(StepKind.Restart)), (1, Gen.Constant(StepKind.Crash)))
        from a in Gen.Choose(0, 1 << 16)
        from b in Gen.Choose(0, 99)
        select new Step(kind, a, b);

    private enum StepKind
    {
        Append,
        NextCommit,
        CommitDone,
        Tick,
        BeginReopen,
        Reopened,
        Reserve,
        Configure,
        EvictAll,
        Restart,
        Crash,
    }

    public static TheoryData<int, bool, int> Settings => new()
    {
        { 5, false, 0 }, { 5, true, 0 }, { 3, false, 1500 }, { 100, false, 0 },
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public void A_stream_does_what_plain_lists_say(int buffer, bool durable, int maxAgeMs)
    {
        var settings = StreamSettings.Default with
        {
            Buffer = buffer,
            Durable = durable,
            MaxAge = maxAgeMs == 0 ? null : TimeSpan.FromMilliseconds(maxAgeMs),
            Retention = new() { Count = 30, Age = null },
        };
        Prop.ForAll(Arb.From(_step.ArrayOf(), Shrink), steps => Run(settings, steps))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(250).WithEndSize(160));
    }

    private static void Run(StreamSettings settings, Step[] steps)
    {
        var model = new EventStreamModel(settings);
        foreach (var (kind, a, b) in steps)
        {
            switch (kind)
            {
                case StepKind.Append: model.Append(1 + b % 4, a); break;
                case StepKind.NextCommit: model.NextCommit(); break;
                case StepKind.CommitDone: model.CommitDone(happened: b < 85, succeeded: b is < 75 or > 90); break;
                case StepKind.Tick: model.Tick(a % 16 == 0 ? 130_000 : a % 4 == 0 ? a % 6000 : a % 400); break;
                case StepKind.BeginReopen: model.BeginReopen(); break;
                case StepKind.Reopened: model.Reopened(happened: b < 80, succeeded: b < 60); break;
                case StepKind.Reserve: model.Reserve(b < 70); break;
                case StepKind.Configure: model.Configure(1 + a % 8, a % 5 == 0, happened: b < 85,
                    succeeded: b < 70); break;
                case StepKind.EvictAll: model.EvictAll(); break;
                case StepKind.Restart: model.Restart(); break;
                default: model.Crash(happened: b < 50); break;
            }
            model.Compare();
        }
    }

    private static IEnumerable<Step[]> Shrink(Step[] steps)
    {
        for (var size = steps.Length / 2; size > 0; size /= 2)
            for (var at = 0; at + size <= steps.Length; at += size)
                yield return [.. steps[..at], .. steps[(at + size)..]];
    }

    private sealed record Step(StepKind Kind, int A, int B);
}
