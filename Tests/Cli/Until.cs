namespace OrleansEvents.Tests.Cli;

internal static class Until
{
    /// <summary>Looks again and again, for as long as a busy machine may need.</summary>
    public static Task TrueAsync(Func<bool> condition) => TrueAsync(() => Task.FromResult(condition()));

    public static async Task TrueAsync(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!await condition())
            await Task.Delay(5, limit.Token);
    }
}
