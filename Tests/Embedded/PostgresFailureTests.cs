using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using OrleansEvents.Tests.Http;
using OrleansEvents.Tests.Reading;
using OrleansEvents.Tests.Storage;
using Xunit;

namespace OrleansEvents.Tests.Embedded;

/// <summary>A server whose PostgreSQL goes and comes back, seen by those who publish.</summary>
public sealed class PostgresFailureTests : IAsyncLifetime
{
    private PostgresMachine _database = null!;
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await PostgresMachine.Start();
        _server = await TestServer.Start("--store", "postgres", "--postgres",
            _database.Connection + ";Command Timeout=2;Timeout=2", "--Streams:Buffer", "100000",
            "--Storage:CircuitOpen", "0.1");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        if (_database is not null) await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_crash_of_the_database_loses_nothing_that_was_answered_and_doubles_nothing() =>
        await PublishThrough(_database.Crash, _database.StartAgain);

    [Fact]
    public async Task A_database_that_hangs_holds_up_nobody_for_ever() =>
        await PublishThrough(_database.Freeze, _database.Thaw);

    private async Task PublishThrough(Func<Task> fail, Func<Task> mend)
    {
        // Open before it fails: what is not cannot be opened without it.
        await _server.Publish("orders", """{"type":"a","data":0}""");
        var (answered, refused, mended) = (new ConcurrentBag<int>(), new CountdownEvent(4), new TaskCompletionSource());
        var publishers = Enumerable.Range(0, 4).Select(i => Publish(i, answered, refused, mended.Task)).ToArray();
        await Until(() => answered.Count >= 20);
        await fail();
        Assert.True(await Task.Run(() => refused.Wait(SseReader.Patience)), "A publisher was not answered.");
        await _server.Publish("orders", """{"type":"a","data":0}""");
        await mend();
        mended.SetResult();
        await Task.WhenAll(publishers);

        var stored = (await AllEvents())
            .Select(each => each.GetProperty("data").GetInt32()).Where(number => number > 0).Order().ToArray();
        Assert.Equal(answered.Order(), stored);
    }

    /// <summary>Over all pages.</summary>
    private async Task<List<JsonElement>> AllEvents()
    {
        var (all, after, more) = (new List<JsonElement>(), "0", true);
        while (more)
        {
            var page = await _server.Poll("orders", $"after={after}&limit=1000");
            all.AddRange(page.GetProperty("events").EnumerateArray());
            (after, more) = (page.GetProperty("cursor").GetString()!, page.GetProperty("more").GetBoolean());
        }
        return all;
    }

    private static async Task Until(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(SseReader.Patience);
        while (!condition()) await Task.Delay(5, limit.Token);
    }

    /// <summary>Publishes events of its own until some were taken after the mending; each until it is taken, with its
    /// key.</summary>
    private async Task Publish(int publisher, ConcurrentBag<int> answered, CountdownEvent refused, Task mended)
    {
        var (isFirst, left) = (true, 5);
        for (var number = publisher * 10_000 + 1; left > 0; number++)
        {
            var json = string.Create(CultureInfo.InvariantCulture,
                $$"""{"type":"a","data":{{number}},"critical":true,"key":"k{{number}}"}""");
            while (true)
            {
                var began = Stopwatch.StartNew();
                var answer = await _server.TryPublish("orders", json);
                if (answer.Status == HttpStatusCode.Created) break;
                Assert.True(answer.Status is HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout);
                Assert.InRange(began.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
                if (isFirst) refused.Signal();
                isFirst = false;
                await Task.Delay(20);
            }
            answered.Add(number);
            if (mended.IsCompleted) left--;
        }
    }
}
