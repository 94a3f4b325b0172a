namespace OrleansEvents.Api;

internal static class EntryPoint
{
    private static Task<int> Main(string[] args) => ApiHost.RunAsync(args);
}
