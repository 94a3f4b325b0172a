using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;

namespace OrleansEvents.Peer;

/// <summary>
/// The usual .NET way to serve event streams: minimal APIs, <c>TypedResults.ServerSentEvents</c>, a bounded channel per
/// connection. Same paths, same frames, same answers as the server it is compared with.
/// </summary>
internal static class PeerHost
{
    public static Task Main(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.ConfigureHttpJsonOptions(
            o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, PeerJson.Default));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<PeerStreams>();
        if (builder.Configuration["data"] is { } folder)
            builder.Services.AddSingleton(_ => new EventTable(folder));

        var app = builder.Build();
        var events = app.MapGroup("/api/streams/{stream}/events");
        events.MapGet("", Read);
        events.MapPost("", Publish);
        return app.RunAsync();
    }

    private static ServerSentEventsResult<string> Read(string stream, PeerStreams streams,
        CancellationToken cancelled) =>
        TypedResults.ServerSentEvents(streams.Get(stream).Read(cancelled));

    private static async Task<Created<PublishAnswer>> Publish(
        string stream, HttpRequest request, PeerStreams streams, CancellationToken cancelled)
    {
        var events = new List<NewEvent>();
        var lines = JsonSerializer.DeserializeAsyncEnumerable(
            request.BodyReader, PeerJson.Default.NewEvent, topLevelValues: true, cancelled);
        await foreach (var one in lines)
            events.Add(one!);
        return TypedResults.Created((string?)null, await streams.Get(stream).Publish(events, cancelled));
    }
}
