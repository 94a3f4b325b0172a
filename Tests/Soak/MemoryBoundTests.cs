using OrleansEvents.Tests.Crash;
using Xunit;

namespace OrleansEvents.Tests.Soak;

/// <summary>What the settings allow, no more, whatever comes at once.</summary>
[Collection("Processes")]
public sealed class MemoryBoundTests(ITestOutputHelper output)
{
    private const long Megabyte = 1 << 20;
    private const long Buffers = 32 * Megabyte;
    private const long Bodies = 16 * Megabyte;
    private const long Unsent = 8 * Megabyte;

    /// <summary>The three, as much again for arrays on their way back to their pool, and what the server itself
    /// needs.</summary>
    private const long Heap = 2 * (Buffers + Bodies + Unsent) + 32 * Megabyte;

    /// <summary>Beside the heap: the runtime, compiled code, threads.</summary>
    private const long Runtime = 160 * Megabyte;

    [Fact]
    public async Task Many_streams_and_connections_large_events_and_slow_readers_do_not_take_more_than_is_allowed()
    {
        var random = TestRun.NewRandom(output);
        await using var server = await ServerProcess.StartWithinAsync(Heap, "--store", "memory",
            "--Limits:MemoryBytes", $"{Buffers}", "--Limits:RequestMemoryBytes", $"{Bodies}",
            "--Limits:UnsentBytes", $"{Unsent}", "--Sse:WriteTimeout", "3600",
            "--Logging:LogLevel:OrleansEvents", "Error");
        var (buffers, bodies, unsent) = (0d, 0d, 0d);
        await using (var pressure = new Pressure(server.Address, random, TimeSpan.FromMilliseconds(2), stalled: 80,
            silent: 16))
        {
            var goal = Buffers * (TestRun.IsLong ? 100 : 8);
            var drops = 0d;
            while (pressure.PublishedBytes < goal || drops == 0 || pressure.Refused == 0)
            {
                Assert.True(pressure.Fault is null && !server.HasExited,
                    $"{pressure.Fault?.Exception?.InnerException}\n{string.Join('\n', server.Errors.Take(20))}");
                await Task.Delay(100, TestContext.Current.CancellationToken);
                var look = await pressure.Look();
                (buffers, bodies, unsent) = (Math.Max(buffers, look["buffer_memory_bytes"]),
                    Math.Max(bodies, look["request_memory_bytes"]), Math.Max(unsent, look["unsent_memory_bytes"]));
                drops = look["slow_client_drops_total"];
            }
            output.WriteLine($"{pressure.PublishedBytes / Megabyte} MB published, {pressure.ReadBytes / Megabyte} MB "
                + $"read, {pressure.Refused} refused, {drops} dropped; at most {buffers / Megabyte:F1} MB of buffers, "
                + $"{bodies / Megabyte:F1} of bodies, {unsent / Megabyte:F1} unsent, "
                + $"{server.PeakResidentBytes / Megabyte} resident");
        }
        // What was taken last is over until the idlest streams have lost theirs.
        Assert.InRange(buffers, Buffers / 2, Buffers + 2 * Pressure.Publishers * Pressure.LargestBody);
        Assert.InRange(bodies, 1, Bodies);
        Assert.InRange(unsent, 1, Unsent);
        Assert.InRange(server.PeakResidentBytes, 1, Heap + Runtime);
        Assert.Equal(0, await server.StopAsync());
    }
}
