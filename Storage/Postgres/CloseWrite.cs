using Npgsql;
using OrleansEvents.Streams;

namespace OrleansEvents.Storage.Postgres;

/// <summary>A graceful close with its ring. One statement for all streams that are closed together, as they are when a
/// server stops. A closed stream may be closed again.</summary>
internal sealed class CloseWrite(PostgresOwners owners, LogHandle handle, GracefulClose close) : PostgresWrite(handle)
{
    private const string Sql = """
        WITH held AS (
            UPDATE streams s SET close_end = w.last, close_floor = w.floor,
                owner = CASE WHEN w.sure THEN NULL ELSE s.owner END
            FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $8::boolean[])
                w(n, id, epoch, last, floor, sure)
            WHERE s.id = w.id AND s.epoch = w.epoch AND s.deleted IS NULL RETURNING w.n, s.id),
        kept AS (
            INSERT INTO rings(stream, slots, frames)
            SELECT held.id, r.slots, r.frames FROM unnest($1::int[], $6::bytea[], $7::bytea[]) r(n, slots, frames)
            JOIN held ON held.n = r.n
            ON CONFLICT (stream) DO UPDATE SET slots = excluded.slots, frames = excluded.frames)
        SELECT n FROM held
        """;

    private readonly GracefulClose _close = close;

    public override bool CanShare => true;

    public override long Bytes => _close.Ring.Frames.Length;

    public override async Task<IReadOnlyList<PostgresWrite>> Commit(NpgsqlDataSource source,
        IReadOnlyList<PostgresWrite> group)
    {
        // Of several closes of one stream only the last is written: no statement changes a row twice.
        var closes = new Dictionary<LogHandle, GracefulClose>();
        foreach (CloseWrite write in group) closes[write.Handle] = write._close;
        var handles = closes.Keys.ToArray();
        var taken = await source.CreateCommand(Sql)
            .With(Enumerable.Range(0, handles.Length).ToArray())
            .With(handles.Select(each => each.Id).ToArray())
            .With(handles.Select(each => unchecked((long)each.Epoch)).ToArray())
            .With(closes.Values.Select(each => each.End).ToArray())
            .With(closes.Values.Select(each => each.Floor).ToArray())
            .With(closes.Values.Select(each => RunColumns.Slots(each.Ring)).ToArray())
            .With(closes.Values.Select(each => each.Ring.Frames).ToArray())
            // Whoever opens it next need not wait for anybody then.
            .With(handles.Select(owners.IsSure).ToArray())
            .Taken(handles);
        foreach (var handle in handles) owners.Leave(handle);
        return [.. group.Where(write => !taken.Contains(write.Handle))];
    }
}
