using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using Xunit;

namespace OrleansEvents.Tests.Subscribers;

public sealed class OwedPaceTests
{
    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task However_small_its_share_everything_owed_comes_and_the_line_behind_it(string direct)
    {
        await using var server = await TestServer.Start("--Sse:OwedShare", "1", "--Sse:DirectSend", direct,
            "--Sse:MaxSendBytes", "1024");
        var all = 1.To(8).Select(i => new Named(server, name: $"a{i}")).ToList();
        foreach (var named in all) await named.Set("{}");
        await all[0].Critical(1, 200);
        var readers = await Task.WhenAll(all.Select(named => named.Read()));
        try
        {
            await all[0].Ordinary(201, 210);
            await Task.WhenAll(readers.Select(async reader =>
            {
                var numbers = new List<int>();
                while (numbers.Count < 210) numbers.Add((await reader.Next(frame => frame.IsEvent)).Number());
                Assert.Equal(1.To(210), numbers);
            }));
        }
        finally
        {
            foreach (var reader in readers) await reader.DisposeAsync();
        }
    }
}
