namespace OrleansEvents.Durable;

/// <summary>Durable events a second without HTTP in front. Prints one JSON line.</summary>
internal static class DurableHost
{
    private const int DataBytes = 200;
    private const int EventBytes = 384;    // with its envelope

    public static async Task<int> Main(string[] args)
    {
        if (args is not [var mode and ("transaction" or "engine"), var publishers, var seconds, var folder])
        {
            await Console.Error.WriteLineAsync("durable transaction|engine PUBLISHERS SECONDS FOLDER");
            return 2;
        }

        var work = new ClosedLoop(int.Parse(publishers), TimeSpan.FromSeconds(int.Parse(seconds)));
        var rate = mode == "engine" ? await RunEngine(work, folder) : await RunTransactions(work, folder);
        Console.WriteLine($"{{\"publishers\":{publishers},\"answered_per_s\":{rate:F1}}}");
        return 0;
    }

    private static async Task<double> RunTransactions(ClosedLoop work, string folder)
    {
        using var table = new TransactionPerEvent(folder, EventBytes);
        return await work.Run(table.Publish);
    }

    private static async Task<double> RunEngine(ClosedLoop work, string folder)
    {
        await using var engine = await EnginePublishing.Start(folder, DataBytes);
        return await work.Run(engine.Publish);
    }
}
