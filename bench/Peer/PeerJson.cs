using System.Text.Json;
using System.Text.Json.Serialization;

namespace OrleansEvents.Peer;

internal sealed record NewEvent(string Type, JsonElement Data, int Version = 1, bool Critical = false);

internal sealed record StoredEvent(
    string Id, long Seq, string Stream, string Type, int Version, string Time, bool Critical, JsonElement Data);

internal sealed record PublishAnswer(
    string Stream, long First, long Last, string Cursor, int Count, int Duplicates, bool Durable);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(NewEvent))]
[JsonSerializable(typeof(StoredEvent))]
[JsonSerializable(typeof(PublishAnswer))]
internal sealed partial class PeerJson : JsonSerializerContext;
