using System.Diagnostics;
using System.Text.Json;
using OrleansEvents.Tests.Cli;
using OrleansEvents.Tests.Crash;

namespace OrleansEvents.Tests.Soak;

/// <summary><c>events tail --subscriber … --ack</c>, killed and started again: what it printed may come again until its
/// acknowledgement, of which only the server knows, was stored.</summary>
internal sealed class SoakTail(Deployment deployment, SoakLedger ledger, Random random)
{
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var address = await deployment.AddressAsync(stop);
                using var process = Shell.Start(address,
                    $"exec events tail soak --subscriber {ledger.Subscriber} --ack --json", ownSession: true);
                using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
                end.CancelAfter(random.Next(2000, 9000));
                await using var killing = end.Token.Register(() => process.Kill(entireProcessTree: true));
                // To the end of the pipe: what it has printed counts as taken.
                await ReadAsync(process);
                await process.WaitForExitAsync(CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                // Its time is over, or everybody's.
            }
        }
    }

    private async Task ReadAsync(Process process)
    {
        var connection = ledger.NewConnection();
        while (await process.StandardOutput.ReadLineAsync(CancellationToken.None) is { } line)
        {
            // Cut by the kill: not printed, so not acknowledged.
            if (!line.EndsWith('}')) continue;
            var number = JsonSerializer.Deserialize<JsonElement>(line).GetProperty("data").GetInt32();
            ledger.Receive(number, connection);
            ledger.Ask([number]);
        }
    }
}
