using OrleansEvents.Api;

namespace OrleansEvents.Silo;

internal static class EntryPoint
{
    private static Task<int> Main(string[] args) => ApiHost.RunAsync(args, SiloHost.Engine);
}
