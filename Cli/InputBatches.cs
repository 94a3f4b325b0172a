using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using OrleansEvents.Client;

namespace OrleansEvents.Cli;

/// <summary>
/// Reads NDJSON in batches that fit one request: what has arrived goes out at once, and no more than a batch and a
/// line are held.
/// </summary>
internal sealed class InputBatches(Stream input, EventDefaults defaults)
{
    private const int MostEvents = 1_000;
    private const int MostBytes = 1024 * 1024;
    private const int LongestLine = 8 * 1024 * 1024;

    private readonly PipeReader _input = PipeReader.Create(input, new StreamPipeReaderOptions(bufferSize: 64 * 1024));
    private readonly List<NewEvent> _batch = [];
    private int _batchBytes;
    private long _line;
    private bool _atEnd;

    /// <summary>Why reading ended before the input did.</summary>
    public string? Fault { get; private set; }

    /// <summary>The next batch; null at the end, or at a line that is refused (events before it come first).</summary>
    public async Task<IReadOnlyCollection<NewEvent>?> NextAsync(CancellationToken cancellationToken)
    {
        _batch.Clear();
        _batchBytes = 0;
        while (_batch.Count == 0 && !_atEnd)
        {
            // A read of the console cannot be cancelled; it is left behind.
            var read = await _input.ReadAsync(CancellationToken.None).AsTask().WaitAsync(cancellationToken);
            var rest = Take(read.Buffer, read.IsCompleted);
            _input.AdvanceTo(rest.Start, IsFull ? rest.Start : rest.End);
        }
        return _batch.Count > 0 ? _batch : null;
    }

    private bool IsFull => _batch.Count >= MostEvents || _batchBytes >= MostBytes;

    private ReadOnlySequence<byte> Take(ReadOnlySequence<byte> buffer, bool isLast)
    {
        while (!IsFull)
        {
            if (TryLine(ref buffer, isLast) is not { } line)
            {
                _atEnd = isLast;
                break;
            }
            _line++;
            if (!TryAdd(line))
            {
                _atEnd = true;
                break;
            }
        }
        if (!_atEnd && buffer.Length > LongestLine)
        {
            Fault = $"EVENT_TOO_LARGE: line {_line + 1} is longer than {LongestLine} bytes";
            _atEnd = true;
        }
        return buffer;
    }

    private static byte[]? TryLine(ref ReadOnlySequence<byte> buffer, bool isLast)
    {
        if (buffer.IsEmpty)
            return null;
        if (buffer.PositionOf((byte)'\n') is { } end)
        {
            var line = buffer.Slice(0, end).ToArray();
            buffer = buffer.Slice(buffer.GetPosition(1, end));
            return line;
        }
        if (!isLast)
            return null;
        var last = buffer.ToArray();
        buffer = buffer.Slice(buffer.End);
        return last;
    }

    private bool TryAdd(byte[] bytes)
    {
        ReadOnlyMemory<byte> line = bytes;
        if (_line == 1 && line.Span.StartsWith("\uFEFF"u8))
            line = line[3..];
        line = line.Trim(" \t\r"u8);
        if (line.IsEmpty)
            return true;
        try
        {
            _batch.Add(InputEvent.Parse(line, defaults, _line));
            _batchBytes += line.Length;
            return true;
        }
        catch (Exception notJson) when (notJson is JsonException or InvalidOperationException)
        {
            var why = notJson is JsonException json ? InputEvent.FirstSentence(json) : "its text is not valid UTF-8";
            Fault = $"INVALID_INPUT: line {_line}: {why}";
            return false;
        }
    }
}
