using System.Collections.Concurrent;
using System.Globalization;
using Orleans.Runtime;
using Orleans.Serialization;
using Orleans.Storage;

namespace OrleansEvents.Tests.Cluster;

/// <summary>Grain storage that outlives silos, as a database does.</summary>
internal sealed class GrainStates
{
    private readonly ConcurrentDictionary<(string, GrainId), (byte[] State, int No)> _states = new();

    public IGrainStorage For(Serializer serializer) => new Storage(_states, serializer);

    private sealed class Storage(ConcurrentDictionary<(string, GrainId), (byte[] State, int No)> states,
        Serializer serializer) : IGrainStorage
    {
        public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
        {
            var found = states.TryGetValue((stateName, grainId), out var stored);
            grainState.RecordExists = found;
            grainState.State = found ? serializer.Deserialize<T>(stored.State) : Activator.CreateInstance<T>();
            grainState.ETag = found ? Tag(stored.No) : null!;
            return Task.CompletedTask;
        }

        public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
        {
            var bytes = serializer.SerializeToArray(grainState.State);
            var stored = states.AddOrUpdate((stateName, grainId), (bytes, 1), (_, before) =>
                grainState.ETag == Tag(before.No) ? (bytes, before.No + 1)
                    : throw new InconsistentStateException("written meanwhile", Tag(before.No), grainState.ETag));
            (grainState.RecordExists, grainState.ETag) = (true, Tag(stored.No));
            return Task.CompletedTask;
        }

        public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
        {
            states.TryRemove((stateName, grainId), out _);
            (grainState.RecordExists, grainState.ETag) = (false, null!);
            grainState.State = Activator.CreateInstance<T>();
            return Task.CompletedTask;
        }

        private static string Tag(int no) => no.ToString(CultureInfo.InvariantCulture);
    }
}
