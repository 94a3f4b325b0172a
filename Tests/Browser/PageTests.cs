using System.Net.Http.Json;
using Microsoft.Playwright;
using OrleansEvents.Api;
using Xunit;

namespace OrleansEvents.Tests.Browser;

/// <summary>The server's own page, in a real browser. Skipped where there is no Chromium.</summary>
public sealed class PageTests
{
    private static readonly string[] s_flags =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ];

    [Fact]
    public async Task The_page_shows_history_then_live_events_and_publishes()
    {
        await using var server = await ApiHost.StartAsync(["--urls", "http://127.0.0.1:0", "--store", "memory"],
            cancel: TestContext.Current.CancellationToken);
        using var client = new HttpClient { BaseAddress = server.Address };
        await Publish(client, "before the page");
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Launch(playwright);
        var page = await browser.NewPageAsync();
        var complaints = new List<string>();
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") complaints.Add(message.Text);
        };
        page.PageError += (_, error) => complaints.Add(error);

        await page.GotoAsync($"{server.Address}#stream=hello");
        await Shows(page, "before the page");
        await Publish(client, "while it looks");
        await Shows(page, "while it looks");
        await page.FillAsync("#publish-data", "\"from <b>the page</b>\"");
        await page.ClickAsync("#publish-send");
        await Shows(page, "from <b>the page</b>");
        await Assertions.Expect(page.Locator("#tail b")).ToHaveCountAsync(0);
        Assert.Empty(complaints);
    }

    private static Task Shows(IPage page, string text) => Assertions.Expect(page.Locator("#tail"))
        .ToContainTextAsync(text, new() { Timeout = 30_000 });

    private static async Task Publish(HttpClient client, string text)
    {
        var answer = await client.PostAsJsonAsync("/api/streams/hello/events", new { type = "greeting", data = text });
        answer.EnsureSuccessStatusCode();
    }

    private static async Task<IBrowser> Launch(IPlaywright playwright)
    {
        string[] places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
        var path = Array.Find(places, File.Exists);
        Assert.SkipWhen(path is null, "There is no Chromium on this machine.");
        return await playwright.Chromium.LaunchAsync(new() { ExecutablePath = path, Args = s_flags });
    }
}
