using System.Globalization;
using System.Net;
using OrleansEvents.Client;
using OrleansEvents.Tests.Client;
using OrleansEvents.Tests.Http;
using Xunit;
using Fault = OrleansEvents.Tests.Client.OwingServer.Fault;

namespace OrleansEvents.Tests.Cli;

/// <summary><c>events tail --subscriber NAME --ack</c></summary>
public sealed class SubscriberTailTests
{
    [Fact]
    public async Task What_is_printed_is_acknowledged_and_a_second_delivery_is_told()
    {
        await using var server = await OwingServer.StartAsync(3);
        server.Cuts.Enqueue(2);
        using var line = new CommandLine();

        var exit = await line.RunAsync("tail", "orders", "--subscriber", "billing", "--url", server.Address + "");
        server.Cuts.Enqueue(1);
        var again = await line.RunAsync(
            "tail", "orders", "--subscriber", "billing", "--ack", "--url", server.Address + "");

        Assert.Equal((0, 0), (exit, again));
        var numbers = line.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(text => text.Split(' ')[2]);
        Assert.Equal(["1", "2", "1/2", "2/2", "3"], numbers.Take(5));
        Assert.Equal("1/3", numbers.ElementAt(5));
        Assert.True(server.Has(1, 2, 3));
    }

    [Fact]
    public async Task Interrupted_it_stores_the_acknowledgements_before_it_ends()
    {
        var stored = new TaskCompletionSource();
        await using var server = await OwingServer.StartAsync(3, staysOpen: true);
        server.Faults.Enqueue(new Fault(Until: stored.Task));
        using var line = new CommandLine();

        var running = line.RunAsync(
            "tail", "orders", "--subscriber", "billing", "--ack", "--url", server.Address + "");
        await Until.TrueAsync(() => server.Faults.IsEmpty);
        line.Signals.Raise(2);
        stored.SetResult();

        Assert.Equal(130, await running);
        Assert.True(server.Has(1, 2, 3));
        Assert.Equal("", line.Error);
    }

    [Fact]
    public async Task Acknowledgements_that_cannot_be_stored_are_told()
    {
        await using var server = await OwingServer.StartAsync(2, staysOpen: true);
        server.Faults.Enqueue(new Fault(HttpStatusCode.Forbidden, "PERMISSION_DENIED"));
        using var line = new CommandLine();

        var running = line.RunAsync(
            "tail", "orders", "--subscriber", "billing", "--ack", "--url", server.Address + "");
        await Until.TrueAsync(() => server.Faults.IsEmpty);
        server.Complete();

        Assert.Equal(1, await running);
        Assert.Equal(
            """
            events: acknowledgements not stored: 2; these events come again
            events: PERMISSION_DENIED: not now

            """,
            line.Error);
    }

    [Fact]
    public async Task What_nobody_reads_is_not_acknowledged()
    {
        await using var server = await OwingServer.StartAsync(2);
        using var line = new CommandLine { IsClosed = descriptor => descriptor == 1 };

        await line.RunAsync("tail", "orders", "--subscriber", "billing", "--ack", "--url", server.Address + "");

        Assert.True(server.Has());
    }

    [Theory]
    [InlineData("--ack needs --subscriber", "orders", "--ack")]
    [InlineData("--subscriber takes one stream", "a,b", "--subscriber", "x")]
    [InlineData("--subscriber takes one stream", "orders", "--subscriber", "x", "--types", "a")]
    public async Task What_cannot_be_done_is_said(string expected, params string[] arguments)
    {
        using var line = new CommandLine();

        Assert.Equal(2, await line.RunAsync(["tail", .. arguments]));
        Assert.StartsWith("events: " + expected, line.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killed_in_the_middle_again_and_again_it_misses_nothing_and_repeats_only_what_is_pending()
    {
        const int Count = 3_000;
        await using var server = await TestServer.StartOnDisk();
        using var client = new EventsClient(server.Address);
        // More than a pipe holds: whoever prints them waits for who reads them.
        var events = Enumerable.Range(1, Count).Select(n => NewEvent.Of($"n{n}", new string('x', 200)));
        await client.PublishAsync("orders", [.. events.Select(each => each with { Critical = true })]);
        await client.CompleteAsync("orders");
        var billing = client.Subscriber("orders", "billing");
        await billing.ConfigureAsync(new() { MaxAttempts = 100, Backoff = [TimeSpan.FromMilliseconds(10)] });
        var printed = new HashSet<int>();

        var pending = Count;
        for (var kills = 0; kills < 3; kills++)
        {
            var numbers = await KilledAsync(server.Address, async () =>
                (await billing.DescribeAsync()).Pending < pending);
            Assert.InRange(numbers.Length, 1, pending - 1);
            Assert.True(numbers.Min() > Count - pending);
            printed.UnionWith(numbers);
            pending = (int)(await billing.DescribeAsync()).Pending;
        }
        var (exit, output, _) = await Shell.RunAsync(server.Address, Command);
        printed.UnionWith(Numbers(output.Split('\n')));

        Assert.Equal(0, exit);
        Assert.Equal(Enumerable.Range(1, Count), printed.Order());
        Assert.Equal(0, (await billing.DescribeAsync()).Pending);
    }

    private const string Command = "events tail orders --subscriber billing --ack";

    /// <summary>What a tail prints until it is killed when a condition holds.</summary>
    private static async Task<int[]> KilledAsync(Uri server, Func<Task<bool>> isTime)
    {
        using var process = Shell.Start(server, "exec " + Command, ownSession: true);
        var printed = new List<string>();
        for (var i = 0; i < 400; i++)
            printed.Add((await process.StandardOutput.ReadLineAsync())!);
        await Until.TrueAsync(isTime);
        process.Kill();
        var rest = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        // What stands behind the last end of a line was cut short.
        return [.. Numbers([.. printed, .. rest.Split('\n')[..^1]])];
    }

    private static IEnumerable<int> Numbers(IEnumerable<string> lines) => lines
        .Where(line => line.Length > 0)
        .Select(line => int.Parse(line.Split(' ')[3].AsSpan(1), CultureInfo.InvariantCulture));
}
