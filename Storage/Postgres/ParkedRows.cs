using System.Runtime.InteropServices;
using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>The part of a subscriber's save that removes parked events and parks others, as one statement's. What is
/// parked again is updated and not deleted: one statement cannot do both to a row.</summary>
internal static class ParkedRows
{
    /// <summary>Steps behind one named <c>held</c>, which has the stream's number as <c>id</c> if the write is
    /// admitted. Parameters 6 to 12 are of <see cref="WithParked"/>.</summary>
    /// <param name="name">The parameter that is the subscriber's name.</param>
    public static string Sql(string name) => $"""
        unparked AS (
            DELETE FROM parked p USING held, unnest($6::bigint[], $7::bigint[]) gone(first, last)
            WHERE p.stream = held.id AND p.subscriber = {name} AND p.seq BETWEEN gone.first AND gone.last
                AND NOT p.seq = ANY($9)),
        put AS (
            INSERT INTO parked(stream, seq, parked, subscriber, slot, note, frame)
            SELECT held.id, e.seq, $8, {name}, e.slot, e.note, e.frame
            FROM held, unnest($9::bigint[], $10::bytea[], $11::bytea[], $12::bytea[]) e(seq, slot, note, frame)
            ON CONFLICT (stream, subscriber, seq) DO UPDATE SET parked = excluded.parked, slot = excluded.slot,
                note = excluded.note, frame = excluded.frame)
        SELECT id FROM held
        """;

    public static NpgsqlCommand WithParked(this NpgsqlCommand command, SubscriberWrite write)
    {
        var slots = write.Park is { } park ? park.Slots.ToArray() : [];
        return command
            .With(write.Unpark.Select(range => range.First).ToArray())
            .With(write.Unpark.Select(range => range.Last).ToArray())
            .With(write.ParkedMs)
            .With(write.ParkedSeqs)
            .With(slots.Select(slot => MemoryMarshal.AsBytes([slot.At(0)]).ToArray()).ToArray())
            .With(write.Notes.ToArray())
            .With(slots.Select(slot => write.Park!.FrameOf(slot).ToArray()).ToArray());
    }
}
