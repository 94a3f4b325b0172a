using OrleansEvents.Grains;
using OrleansEvents.Streams;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>One timer for all streams of a silo.</summary>
public sealed class AlarmsTests
{
    [Fact]
    public async Task Each_is_woken_when_its_own_time_has_come_and_once()
    {
        using var alarms = new Alarms(TimeProvider.System);
        var now = Instant.Of(TimeProvider.System).Ms;
        var (late, gone, soon) = (new Sleeper(), new Sleeper(), new Sleeper());
        foreach (var each in new[] { late, gone, soon }) alarms.Add(each);
        alarms.Set(late, now + 3_600_000);
        alarms.Set(gone, now + 1);
        alarms.Set(soon, now + 200);
        alarms.Remove(gone);

        await soon.Woken.Task.WaitAsync(TwoSilos.Limit);

        Assert.True(Instant.Of(TimeProvider.System).Ms >= now + 200);
        Assert.Equal((0, 0, 1), (late.Times, gone.Times, soon.Times));
    }

    [Fact]
    public async Task What_is_set_again_counts_and_not_what_was_set_before()
    {
        using var alarms = new Alarms(TimeProvider.System);
        var now = Instant.Of(TimeProvider.System).Ms;
        var (put, other) = (new Sleeper(), new Sleeper());
        foreach (var each in new[] { put, other }) alarms.Add(each);
        alarms.Set(put, now + 1);
        alarms.Set(put, now + 3_600_000);
        alarms.Set(other, now + 100);

        await other.Woken.Task.WaitAsync(TwoSilos.Limit);
        Assert.Equal(0, put.Times);
        alarms.Set(put, now);
        await put.Woken.Task.WaitAsync(TwoSilos.Limit);
    }

    private sealed class Sleeper : IWoken
    {
        private int _times;

        public int Place { get; set; }

        public int Times => Volatile.Read(ref _times);

        public TaskCompletionSource Woken { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Wake()
        {
            Interlocked.Increment(ref _times);
            Woken.TrySetResult();
        }
    }
}
