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

        await foreach (var frame in client.ReadAsync("payments", new ReadOptions { Subscriber = "billing" }))
        {
            switch (frame)
            {
                case EventFrame { Event: var arrived }:
                    output.WriteLine($"{arrived.Seq} {arrived.Type} {arrived.Data}");
                    await client.AcknowledgeAsync("payments", "billing", [arrived.Id]);
                    break;
                case GapFrame gap:
                    output.WriteLine($"events may be missing: {gap.Reason}");
                    break;
            }
        }
        // end
    }
}
