namespace OrleansEvents.Durable;

/// <summary>Durable events a second without HTTP in front. Prints one JSON line.</summary>
internal static class DurableHost
{
    private const int DataBytes = 200;
    private const int EventBytes = 384;    // with its envelope

    public static async Task<int> Main(string[] args)
    {
        if (args is not [var mode and ("transaction" or "engine" or "postgres" or "fenced" or "insert"),
            var publishers, var seconds, var where, .. var rest])
        {
            await Console.Error.WriteLineAsync("""
                durable transaction|engine PUBLISHERS SECONDS FOLDER
                durable postgres|fenced|insert PUBLISHERS SECONDS CONNECTION [STREAMS [EVENTS]]
                """);
            return 2;
        }

        var work = new ClosedLoop(int.Parse(publishers), TimeSpan.FromSeconds(int.Parse(seconds)));
        var streams = rest.Length > 0 ? int.Parse(rest[0]) : 1;
        var events = rest.Length > 1 ? int.Parse(rest[1]) : 1;
        var calls = mode switch
        {
            "transaction" => await RunTransactions(work, where),
            "engine" => await RunEngine(work, ["--data", where], streams, events),
            "postgres" => await RunEngine(work, ["--store", "postgres", "--postgres", where], streams, events),
            _ => await RunStatements(work, where, mode == "fenced", streams),
        };
        var rate = calls * events;
        Console.WriteLine($"{{\"publishers\":{publishers},\"streams\":{streams},\"answered_per_s\":{rate:F1}}}");
        return 0;
    }

    private static async Task<double> RunTransactions(ClosedLoop work, string folder)
    {
        using var table = new TransactionPerEvent(folder, EventBytes);
        return await work.Run(table.Publish);
    }

    private static async Task<double> RunEngine(ClosedLoop work, string[] store, int streams, int events)
    {
        await using var engine = await EnginePublishing.Start(store, streams, events, DataBytes);
        return await work.Run(engine.Publish);
    }

    private static async Task<double> RunStatements(ClosedLoop work, string connection, bool fenced, int streams)
    {
        await using var table = await StatementPerEvent.Start(connection, fenced, streams, EventBytes);
        return await work.Run(table.Publish);
    }
}
