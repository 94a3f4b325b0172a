using System.Text;
using OrleansEvents.Storage.Memory;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Storage;

/// <summary>Any sequence of operations gives the same answers from a store as from the log in memory.</summary>
public abstract class LogAgainstMemory
{
    private static readonly string[] Names = ["a", "a.b", "c"];

    /// <summary>A new log without any stream.</summary>
    protected abstract Task<IEventLog> Make();

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Both_answer_alike(int seed)
    {
        var commands = Commands(seed, 400);
        var expected = await Run(new MemoryEventLog(), commands);
        var actual = await Run(await Make(), commands);
        for (var i = 0; i < expected.Count; i++)
            Assert.True(expected[i] == actual[i], $"seed {seed}, step {i}: {expected[i]} but {actual[i]}");
    }

    public static TheoryData<int> Seeds() => [.. Enumerable.Range(1, 12)];

    private static List<Command> Commands(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(step =>
            new Command(step, random.Next(20), random.Next(3), random.Next(12), random.Next(5)))];
    }

    private static async Task<List<string>> Run(IEventLog log, List<Command> commands)
    {
        await using var _ = log;
        var answers = new List<string>();
        var state = new State();
        foreach (var command in commands)
        {
            try
            {
                answers.Add($"{command}: {await Apply(log, state, command)}");
            }
            catch (Exception refused) when (refused is LogFencedException or InvalidOperationException)
            {
                answers.Add($"{command}: {refused.GetType().Name}");
            }
        }
        return answers;
    }

    private static async Task<string> Apply(IEventLog log, State state, Command command)
    {
        var name = Names[command.Stream];
        var handle = state.Handles.GetValueOrDefault(name);
        var (now, epoch, last) = (command.Step * 10L, (ulong)command.Step + 1, state.Last.GetValueOrDefault(name));
        switch (command.Kind)
        {
            case 0 or 1:
                var opened = await log.Open(name, epoch, command.A > 2, now);
                if (opened is null) return "none";
                state.Handles[name] = opened.Handle;
                state.Last[name] = opened.Epochs[^1].First - 1;
                return Text(opened);
            case 2:
                state.Handles[name] = await log.Reopen(handle, epoch, last - command.A, last + 3);
                state.Last[name] = last + 2;
                return "reopened";
            case 3:
                using (var ring = TestRuns.Range(Math.Max(1, last - 1), command.B))
                    await log.Close(handle, new GracefulClose(last + 1, last, ring));
                return "closed";
            case 4:
                await log.Reserve(handle, last + command.A * 10_000_000L);
                return "reserved";
            case 5:
                await log.SaveSettings(handle, $"{command.A}", command.B == 0 ? null : last);
                return "saved";
            case 6 or 18 or 19:
                await Save(log, command, handle, last, now);
                return "saved";
            case 7:
                await log.RemoveSubscriber(handle, $"s{command.B % 3}");
                return "removed";
            case 8:
                await log.Trim(handle, last - command.A, now - 500);
                return "trimmed";
            case 9 when command.A == 0:
                await log.Delete(handle, now);
                return "deleted";
            case 10 when command.A == 1:
                await log.ForgetTombstones(now - 300);
                return "forgotten";
            case 11 when command.A == 2:
                await log.Complete(handle);
                return "completed";
            case > 11:
                return await Append(log, state, command, name, handle, last, now);
            default:
                return await Read(log, command, handle.Id, name, last);
        }
    }

    private static async Task<string> Append(IEventLog log, State state, Command command, string name,
        LogHandle handle, long last, long now)
    {
        var runs = new List<EventRun>();
        for (var i = 0; i <= command.B; i++)
        {
            runs.Add(TestRuns.Range(last + 1, command.A + 1));
            TestRuns.Add(runs[^1], last + command.A + 3, critical: true, bytes: 100 + 30_000 * (command.A / 11));
            last += command.A + 3 + i;
        }
        await log.Append(handle, runs, [new LogKey($"k{command.Step}", (UInt128)now, 1, last, now + 700)]);
        state.Last[name] = last;
        foreach (var run in runs) run.Dispose();
        return "appended";
    }

    private static async Task Save(IEventLog log, Command command, LogHandle handle, long last, long now)
    {
        using var park = TestRuns.Range(Math.Max(1, last - command.A), command.B);
        TestRuns.Add(park, last + 5, critical: true, bytes: 100 + 5000 * (command.A / 11));
        var write = new SubscriberWrite($"s{command.Step % 3}", new byte[command.A])
        {
            Wakes = command.A % 3 == 0,
            Unpark = [(last - 2 * command.A, last - 8), (last + 1, last + command.A - 3)],
            Park = command.Kind == 6 ? null : park,
            Notes = command.Kind == 6 ? [] : [.. TestRuns.Seqs(park).Select(seq => new byte[seq % 4])],
            ParkedMs = now,
        };
        await log.SaveSubscriber(handle, write);
    }

    private static async Task<string> Read(IEventLog log, Command command, long id, string name, long last)
    {
        using var read = await log.Read(id, last - command.A * 3, 1 + command.A, 70 + command.B * 200);
        using var newest = await log.ReadNewest(id, command.A, command.B * 20_000);
        var owed = await log.ReadOwed(id, last - command.A, command.B % 2 == 0, command.A % 2 == 0);
        var parked = await log.ReadParked(id, $"s{command.B % 3}", last - 20, command.A, 70 + command.B * 100);
        using var parkedEvents = parked.Events;
        var streams = await log.List(command.B == 0 ? "a" : "", command.B == 1 ? "a" : null, 10);
        Assert.True(TestRuns.FramesAreRight(read) && TestRuns.FramesAreRight(newest));
        Assert.True(TestRuns.FramesAreRight(parkedEvents));
        return $"{Text(read)} {Text(newest)} {Text(owed)} {string.Join(' ', streams)} {Text(parked)} "
            + $"{string.Join(' ', await log.StreamsToWake())} {await log.IsDeleted(name)}";
    }

    private static string Text(OpenedStream opened)
    {
        var text = new StringBuilder($"{opened.Handle.Epoch} {opened.Created} {opened.CreatedMs} {opened.Settings} "
            + $"{opened.ReservedThrough} {opened.Completed} {opened.DurableSince} {opened.TrimmedThrough} ");
        text.AppendJoin(' ', opened.Epochs).AppendJoin(' ', opened.Extents)
            .AppendJoin(' ', opened.Keys.OrderBy(key => key.Key, StringComparer.Ordinal))
            .AppendJoin(' ', opened.Subscribers.Select(
                saved => $"{saved.Name}={saved.State.Length} {Text(saved.Parked)}"));
        if (opened.Closed is { } closed) text.Append($" {closed.End} {closed.Floor} {Text(closed.Ring)}");
        return text.ToString();
    }

    private static string Text(IEnumerable<ParkedMark> marks) => string.Join(' ', marks);

    private static string Text(IEnumerable<OwedMark> marks) => string.Join(' ', marks.Select(mark =>
        $"{mark.Seq}{mark.Critical}{(mark.Type is { } type ? Encoding.UTF8.GetString(type) : "")}"));

    private static string Text(ParkedPage page) => $"{Text(page.Events)} {Text(page.Marks)} "
        + string.Join(' ', page.Notes.Select(note => note.Length));

    private static string Text(EventRun run) => $"[{string.Join(' ', TestRuns.Seqs(run))}]";

    private sealed class State
    {
        public Dictionary<string, LogHandle> Handles { get; } = [];

        public Dictionary<string, long> Last { get; } = [];
    }

    private sealed record Command(int Step, int Kind, int Stream, int A, int B);
}
