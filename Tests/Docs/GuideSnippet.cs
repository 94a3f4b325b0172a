using OrleansEvents.Client;

namespace OrleansEvents.Tests.Docs;

/// <summary>The guide's example of the .NET client, as a program would hold it.</summary>
internal static class GuideSnippet
{
    public static async Task Run(Uri server, TextWriter output)
    {
        // begin
        using var client = new EventsClient(server);

        await client.PublishAsync("payments",
            NewEvent.Of("paid", new { Order = 1, Amount = 9.5 }) with { Critical = true });

        await foreach (var arrived in client.Subscribe("payments", "billing"))
            output.WriteLine($"{arrived.Seq} {arrived.Type} {arrived.Data}");
        // end
    }
}
