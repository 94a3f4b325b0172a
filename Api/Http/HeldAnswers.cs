using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace OrleansEvents.Api.Http;

/// <summary>
/// Answers to pipelined requests leave together: while more requests lie in the input, an answer that may be held
/// waits for theirs, so that many are one send. What is held goes out before anything is waited for: more input, a
/// request's own work, and every request whose answer may not be held. So nothing is late, and nothing is held while
/// the connection is idle.
/// </summary>
internal sealed class HeldAnswers : IDuplexPipe
{
    /// <summary>Bytes that wait for more answers at most.</summary>
    private const int MostBytes = 16 << 10;

    private readonly Requests _requests;
    private readonly Answers _answers;

    private HeldAnswers(IDuplexPipe transport)
    {
        _answers = new Answers(this, transport.Output);
        _requests = new Requests(this, transport.Input);
    }

    public PipeReader Input => _requests;

    public PipeWriter Output => _answers;

    /// <summary>The connection's step: what comes behind it writes through this.</summary>
    public static Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var held = new HeldAnswers(connection.Transport);
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
    public static HeldAnswers? Of(HttpContext context) =>
        context.Request.Protocol == HttpProtocol.Http11 && !context.Request.IsHttps
            ? context.Features.Get<HeldAnswers>()
            : null;

    /// <summary>The answer that is written next may wait for those to requests that have come already.</summary>
    public void Hold() => _answers.MayWait = true;

    /// <summary>What is held goes out. For the connection's own request alone, before it waits for anything.</summary>
    public void Release() => _answers.Release();

    /// <summary>Marks an endpoint that calls <see cref="Hold"/>, and <see cref="Release"/> before it waits.</summary>
    public sealed class MayHold;

    private sealed class Requests(HeldAnswers connection, PipeReader input) : PipeReader
    {
        private SequencePosition _end;

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
            if (CameTogether) await Task.Yield();
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

    private sealed class Answers(HeldAnswers connection, PipeWriter output) : PipeWriter
    {
        private bool _holds;

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
