using System.Text;
using BenchmarkDotNet.Attributes;
using OrleansEvents.Streams;

namespace OrleansEvents.Micro;

/// <summary>
/// Appending to a full ring and reading from it. All figures are per event: numbering, encoding, copying into the ring
/// and evicting what falls out is one append; a read is what a connection does, with a copy in the place of sending.
/// </summary>
public class RingBenchmarks
{
    private const int Batch = 100;
    private const int Ring = 10_000;
    private const int ReadBytes = 64 * 1024;

    private readonly NewEvent[] events = new NewEvent[Batch];
    private readonly FeedReader[] readers = new FeedReader[16];
    private readonly byte[] socket = new byte[ReadBytes];
    private readonly Instant now = Instant.Of(TimeProvider.System);
    private EventStream stream = null!;

    /// <summary>A ring that is full, so that every append evicts.</summary>
    [GlobalSetup]
    public void Fill()
    {
        var data = Encoding.ASCII.GetBytes($"\"{new string('x', 198)}\"");
        Array.Fill(events, new NewEvent("bench"u8.ToArray(), 1, data));
        stream = NewStream.Open(Ring, now);
        for (var i = 0; i < 2 * Ring / Batch; i++)
            AppendHundred();
        Array.Fill(readers, new FeedReader(stream.Feed.Head));
    }

    /// <summary>One event a publish.</summary>
    [Benchmark]
    public int AppendOne() => stream.Append(events.AsSpan(0, 1), now).Published.Count;

    /// <summary>A hundred events a publish.</summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public int AppendHundred() => stream.Append(events, now).Published.Count;

    /// <summary>The whole ring, as a reader that begins at its oldest.</summary>
    [Benchmark(OperationsPerInvoke = Ring)]
    public int ReadRing()
    {
        var reader = new FeedReader(stream.Feed.Floor);
        return ReadAll(ref reader);
    }

    /// <summary>A publish of a hundred and sixteen readers that take it: per event read.</summary>
    [Benchmark(OperationsPerInvoke = Batch * 16)]
    public int AppendAndFollow()
    {
        AppendHundred();
        var read = 0;
        foreach (ref var reader in readers.AsSpan())
            read += ReadAll(ref reader);
        return read;
    }

    private int ReadAll(ref FeedReader reader)
    {
        var read = 0;
        while (true)
        {
            switch (stream.Feed.Read(ref reader, ReadBytes, out var block))
            {
                case FeedRead.Nothing:
                    return read;
                case FeedRead.Behind:
                    reader.MoveTo(stream.Feed.Floor);
                    break;
                default:
                    block.Frames.CopyTo(socket);
                    read += block.Count;
                    reader.Pass(block, block.Count);
                    block.Dispose();
                    break;
            }
        }
    }
}
