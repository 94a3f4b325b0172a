using System.Text;

namespace OrleansEvents.Cli;

/// <summary>
/// Cuts a process's output into lines, of <see cref="Longest"/> bytes at most: a longer one comes in pieces. CR LF ends
/// a line as LF does; bytes that are no UTF-8 become replacement characters.
/// </summary>
internal sealed class LineSplitter
{
    /// <summary>Written as JSON a byte becomes six at worst: this stays under the server's 256 KiB.</summary>
    public const int Longest = 32 * 1024;

    private readonly byte[] _held = new byte[Longest + 1];
    private int _length;
    private bool _continues;

    public IEnumerable<string> Add(ReadOnlyMemory<byte> chunk)
    {
        while (!chunk.IsEmpty)
        {
            var end = chunk.Span.IndexOf((byte)'\n');
            var taken = Math.Min(end < 0 ? chunk.Length : end, _held.Length - _length);
            chunk[..taken].CopyTo(_held.AsMemory(_length));
            _length += taken;
            if (taken == end)
            {
                taken++;
                if (EndLine() is { } line)
                    yield return line;
            }
            else if (_length == _held.Length)
            {
                yield return Piece();
            }
            chunk = chunk[taken..];
        }
    }

    /// <summary>What stands behind the last line end; null when nothing does.</summary>
    public string? Rest() => _length > 0 ? EndLine() : null;

    private string? EndLine()
    {
        var length = _length > 0 && _held[_length - 1] == '\r' ? _length - 1 : _length;
        // A line that was cut exactly at its end leaves nothing to say.
        var line = length == 0 && _continues ? null : Encoding.UTF8.GetString(_held, 0, length);
        _length = 0;
        _continues = false;
        return line;
    }

    private string Piece()
    {
        var cut = Longest;
        // Not inside a character: its second to fourth bytes are 10xxxxxx.
        for (var back = 0; back < 3 && (_held[cut] & 0xC0) == 0x80; back++)
            cut--;
        var piece = Encoding.UTF8.GetString(_held, 0, cut);
        _held.AsSpan(cut, _length - cut).CopyTo(_held);
        _length -= cut;
        _continues = true;
        return piece;
    }
}
