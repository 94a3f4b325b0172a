using System.Globalization;

namespace OrleansEvents.Subscribers;

/// <summary>What subscribers cost. Each work prints one JSON line.</summary>
internal static class SubscribersHost
{
    private const string Usage = """
        subscribers memory STREAMS FOLDER            memory of 10,000 subscribers that are owed 100 events each
        subscribers restart URL SERVER STREAMS FOLDER  a start with them, and what they cost when nothing happens
        subscribers publishing SUBSCRIBERS FOLDER    critical publishes to a stream with so many, one at a time
        subscribers webhooks STREAMS FOLDER          10,000 subscribers with webhooks and nothing to push
        subscribers storm URL SECONDS                latency of other streams while 100,000 retries fall due together
        """;

    public static async Task<int> Main(string[] args)
    {
        Task<string>? work = args switch
        {
            ["memory", var streams, var folder] => MemoryWork.Run(Number(streams), folder),
            ["restart", var url, var server, var streams, var folder] =>
                RestartWork.Run(new Uri(url), server, Number(streams), folder),
            ["publishing", var subscribers, var folder] => PublishingWork.Run(Number(subscribers), folder),
            ["webhooks", var streams, var folder] => WebhooksWork.Run(Number(streams), folder),
            ["storm", var url, var seconds] => StormWork.Run(new Uri(url), TimeSpan.FromSeconds(Number(seconds))),
            _ => null,
        };
        if (work is null)
        {
            await Console.Error.WriteLineAsync(Usage);
            return 2;
        }
        Console.WriteLine(await work);
        return 0;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
