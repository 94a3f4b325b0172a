using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace OrleansEvents.Api.Http;

/// <summary>
/// What a connection sends leaves together where it is known that more follows at once: a send costs more than what is
/// in it. Answers to pipelined requests: while more requests lie in the input, one that may be held waits for theirs.
/// It goes out before anything is waited for: more input, a request's own work, and every request whose answer may not
/// be held; so none is late, and nothing is held while the connection is idle. And the records of one encrypted write.
/// </summary>
internal sealed class HeldOutput : IDuplexPipe
{
    /// <summary>Bytes that wait for more answers at most.</summary>
    private const int MostBytes = 16 << 10;

    /// <summary>Batches of requests that the thread of the input serves for one connection before a thread of the pool
    /// takes over: waking that one costs as much as several requests.</summary>
    private const int MostInTurn = 8;

    private readonly Requests _requests;
    private readonly Answers _answers;

    private HeldOutput(IDuplexPipe transport)
    {
        _answers = new Answers(this, transport.Output);
        _requests = new Requests(this, transport.Input);
    }

    public PipeReader Input => _requests;

    public PipeWriter Output => _answers;

    /// <summary>The connection's step: what comes behind it writes through this.</summary>
    public static Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var held = new HeldOutput(connection.Transport);
        connection.Transport = held;
        connection.Features.Set(held);
        return next(connection);
    }

    /// <summary>The step behind routing: an answer is held for requests alone that say so.</summary>
    public static Task OnRequestAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<MayHold>() is null) Of(context)?.Release();
        return next(context);
    }

    /// <summary>Those of a request; null where answers do not follow each other, or are encrypted one by
    /// one.</summary>
    public static HeldOutput? Of(HttpContext context) => Of(context, isEncrypted: false);

    /// <summary>Those of a request whose answer is encrypted; null where it is not, or is not the connection's
    /// only one.</summary>
    public static HeldOutput? BelowTls(HttpContext context) => Of(context, isEncrypted: true);

    private static HeldOutput? Of(HttpContext context, bool isEncrypted) =>
        context.Request.Protocol == HttpProtocol.Http11 && context.Request.IsHttps == isEncrypted
            ? context.Features.Get<HeldOutput>()
            : null;

    /// <summary>The answer that is written next may wait for those to requests that have come already.</summary>
    public void Hold() => _answers.MayWait = true;

    /// <summary>What is encrypted from here on leaves together, with <see cref="FlushTogether"/>. A connection with
    /// TLS sends each of its records by itself, 4 KiB at most, and pays for each as for a whole write.</summary>
    public void Gather() => _answers.Gathers = true;

    /// <summary>Nothing waits for more any longer.</summary>
    public void Scatter() => _answers.Gathers = false;

    /// <summary>Sends what has been gathered.</summary>
    public ValueTask<FlushResult> FlushTogether()
    {
        Scatter();
        return _answers.FlushTogether();
    }

    /// <summary>What is held goes out. For the connection's own request alone, before it waits for anything.</summary>
    public void Release() => _answers.Release();

    /// <summary>Marks an endpoint that calls <see cref="Hold"/>, and <see cref="Release"/> before it waits.</summary>
    public sealed class MayHold;

    private sealed class Requests(HeldOutput connection, PipeReader input) : PipeReader
    {
        private SequencePosition _end;
        private int _inTurn;

        /// <summary>Whether bytes have come that nobody has taken yet.</summary>
        public bool AreThere { get; private set; }

        /// <summary>Whether requests came one behind the other since something was last waited for.</summary>
        public bool CameTogether { get; set; }

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            var reading = input.ReadAsync(cancellationToken);
            if (!reading.IsCompletedSuccessfully)
            {
                connection.Release();
                return Await(reading);
            }
            var read = reading.Result;
            _end = read.Buffer.End;
            return ValueTask.FromResult(read);
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<ReadResult> Await(ValueTask<ReadResult> reading)
        {
            var read = await reading;
            // This is the thread of all connections' input, and who sends one request behind the other would have it
            // for as long as he goes on.
            if (CameTogether && ++_inTurn >= MostInTurn)
            {
                _inTurn = 0;
                await Task.Yield();
            }
            CameTogether = false;
            _end = read.Buffer.End;
            return read;
        }

        public override bool TryRead(out ReadResult result)
        {
            if (!input.TryRead(out result)) return false;
            _end = result.Buffer.End;
            return true;
        }

        public override void AdvanceTo(SequencePosition consumed)
        {
            AreThere = !consumed.Equals(_end);
            input.AdvanceTo(consumed);
        }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            AreThere = !consumed.Equals(_end);
            input.AdvanceTo(consumed, examined);
        }

        public override void CancelPendingRead() => input.CancelPendingRead();

        public override void Complete(Exception? exception = null) => input.Complete(exception);
    }

    private sealed class Answers(HeldOutput connection, PipeWriter output) : PipeWriter
    {
        // TLS may have something of its own to say at any time, from the thread that reads.
        private readonly Lock _writing = new();
        private bool _holds;

        public volatile bool Gathers;

        public bool MayWait { get; set; }

        public override bool CanGetUnflushedBytes => output.CanGetUnflushedBytes;

        public override long UnflushedBytes => output.UnflushedBytes;

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            var isFollowed = MayWait && connection._requests.AreThere;
            MayWait = false;
            connection._requests.CameTogether |= isFollowed;
            _holds = isFollowed && output.UnflushedBytes < MostBytes;
            return _holds ? ValueTask.FromResult(default(FlushResult)) : output.FlushAsync(cancellationToken);
        }

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source,
            CancellationToken cancellationToken = default)
        {
            lock (_writing)
                return Gathers ? Keep(source.Span) : output.WriteAsync(source, cancellationToken);
        }

        public ValueTask<FlushResult> FlushTogether()
        {
            lock (_writing) return output.FlushAsync();
        }

        private ValueTask<FlushResult> Keep(ReadOnlySpan<byte> record)
        {
            output.Write(record);
            return ValueTask.FromResult(default(FlushResult));
        }

        public void Release()
        {
            if (!_holds) return;
            _holds = false;
            // Nobody waits for the socket here: the next answer does, where it takes nothing.
            var flushing = output.FlushAsync();
            if (flushing.IsCompletedSuccessfully) _ = flushing.Result;
        }

        public override Span<byte> GetSpan(int sizeHint = 0) => output.GetSpan(sizeHint);

        public override Memory<byte> GetMemory(int sizeHint = 0) => output.GetMemory(sizeHint);

        public override void Advance(int bytes) => output.Advance(bytes);

        public override void CancelPendingFlush() => output.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => output.Complete(exception);
    }
}
