using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Orleans.Storage;
using OrleansEvents.Tests.Http;
using Xunit;

namespace OrleansEvents.Tests.Cluster;

/// <summary>Orleans' own providers of reminders and grain states over the program's tables and statements.</summary>
public sealed class ProviderTableTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task A_state_is_written_read_and_cleared_and_whoever_comes_with_an_old_version_changes_nothing()
    {
        var storage = shared.Server.Running.App.Services.GetRequiredService<IGrainStorage>();
        foreach (var key in (string[])["a", "b"])
        {
            var grain = GrainId.Create("settings", key);
            var (mine, other) = (new GrainState<Kept>(), new GrainState<Kept>());
            await storage.ReadStateAsync("settings", grain, mine);
            await storage.ReadStateAsync("settings", grain, other);
            Assert.Equal((false, null), (mine.RecordExists, mine.ETag));

            mine.State = new Kept { Text = $"first of {key}" };
            await storage.WriteStateAsync("settings", grain, mine);
            other.State = new Kept { Text = "late" };
            await Assert.ThrowsAsync<InconsistentStateException>(() =>
                storage.WriteStateAsync("settings", grain, other));
            await storage.ReadStateAsync("settings", grain, other);
            Assert.Equal((true, mine.ETag, mine.State?.Text), (other.RecordExists, other.ETag, other.State?.Text));

            other.State = new Kept { Text = "second" };
            await storage.WriteStateAsync("settings", grain, other);
            mine.State = new Kept { Text = "late" };
            await Assert.ThrowsAsync<InconsistentStateException>(() =>
                storage.WriteStateAsync("settings", grain, mine));
            await Assert.ThrowsAsync<InconsistentStateException>(() =>
                storage.ClearStateAsync("settings", grain, mine));
            await storage.ReadStateAsync("settings", grain, mine);
            Assert.Equal("second", mine.State?.Text);

            await storage.ClearStateAsync("settings", grain, mine);
            await storage.ReadStateAsync("settings", grain, other);
            Assert.Equal((false, ""), (other.RecordExists, other.State?.Text));
            other.State = new Kept { Text = "third" };
            await storage.WriteStateAsync("settings", grain, other);
            await storage.ReadStateAsync("settings", grain, mine);
            Assert.Equal((true, "third"), (mine.RecordExists, mine.State?.Text));
        }
    }

    [Fact]
    public async Task Of_many_who_write_a_state_first_one_does()
    {
        var storage = shared.Server.Running.App.Services.GetRequiredService<IGrainStorage>();
        var grain = GrainId.Create("settings", "raced");
        var wrote = await Task.WhenAll(Enumerable.Range(0, 8).Select(async n =>
        {
            try
            {
                await storage.WriteStateAsync("settings", grain,
                    new GrainState<Kept> { State = new Kept { Text = $"{n}" } });
                return true;
            }
            catch (InconsistentStateException)
            {
                return false;
            }
        }));
        Assert.Single(wrote, one => one);
    }

    [Fact]
    public async Task Reminders_are_found_by_their_grain_and_by_every_range_of_hashes_that_holds_theirs()
    {
        var table = shared.Server.Running.App.Services.GetRequiredService<IReminderTable>();
        var grains = Enumerable.Range(0, 20).Select(n => GrainId.Create("reminded", $"g{n}")).ToArray();
        foreach (var grain in grains)
        {
            var entry = new ReminderEntry
            {
                GrainId = grain, ReminderName = "push", Period = TimeSpan.FromMinutes(2),
                StartAt = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc),
            };
            var first = await table.UpsertRow(entry);
            entry.Period = TimeSpan.FromMinutes(3);
            var second = await table.UpsertRow(entry);
            Assert.NotEqual(first, second);
            var read = await table.ReadRow(grain, "push");
            Assert.Equal((second, entry.Period, entry.StartAt), (read!.ETag, read.Period, read.StartAt));
            Assert.False(await table.RemoveRow(grain, "push", first!));
        }
        var hashes = grains.Select(grain => grain.GetUniformHashCode()).Order().ToArray();
        uint[] bounds = [0, 1, hashes[5], hashes[12], int.MaxValue, (uint)int.MaxValue + 1, uint.MaxValue];
        foreach (var begin in bounds)
            foreach (var end in bounds)
            {
                var found = (await table.ReadRows(begin, end)).Reminders.Select(each => each.GrainId)
                    .Where(grains.Contains).Select(grain => grain.GetUniformHashCode()).Order();
                // From one, not included, through the other, over the end of numbers if need be; all if they are one.
                Assert.Equal(hashes.Where(hash => begin < end ? hash > begin && hash <= end
                    : hash > begin || hash <= end), found);
            }

        Assert.Equal("push", Assert.Single((await table.ReadRows(grains[0])).Reminders).ReminderName);
        foreach (var grain in grains)
            Assert.True(await table.RemoveRow(grain, "push", (await table.ReadRow(grain, "push"))!.ETag!));
        Assert.Null(await table.ReadRow(grains[0], "push"));
    }

    /// <summary>What a grain would keep.</summary>
    public sealed class Kept
    {
        public string Text { get; set; } = "";
    }
}
