// The reading side of one SSE connection: HTTP head, chunks, frames, and the check that nothing is missing.
//
// Each event carries a counter "n" and a time "t" of fixed width in its data. A frame is first compared with the shape
// of the last one (its start, its length, its counter where the counter should be) and skipped when it is the very next
// event; only what differs (another length, heartbeats, frames cut by a read) is parsed. So every frame of every
// connection is checked at a few nanoseconds, and the generator is not the bottleneck.
#pragma once

#include "measure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CARRY_LIMIT = 1 << 20, HEAD_LIMIT = 16 };

struct tally {
    uint64_t events, reads, bytes;
    uint64_t lost, repeated;              // by the counter: jumps forward, steps back
    uint64_t gaps, problems, ends;        // frames of those names
    uint64_t refused;                     // connections not answered with 200, or closed by the server
    struct latencies latency;             // one event in 64
};

struct reader {
    bool in_body, chunked, ready, in_size, ignoring, closed;
    uint8_t chunk_head_length;
    char chunk_head[HEAD_LIMIT];          // CRLF, size, CRLF of the chunk being read
    uint64_t chunk_size, chunk_left;
    uint64_t next;                        // the counter that should come, 0 before the first event
    uint64_t received;
    uint32_t carried, room;               // bytes of an unfinished head or frame; bytes it may hold
    char *carry;
};

// What the last event looked like. One for all readers: they are sent frames of the same shape.
struct shape {
    uint32_t stride;                      // from one event of a stream to its next: 1, or the number of streams
    uint32_t length, n_at, t_at;
    char start[4];
    uint32_t chunk_head_length;           // 0: frames are not each in a chunk of their own
    char chunk_head[HEAD_LIMIT];
};

void sse_feed(struct reader *reader, struct shape *shape, struct tally *tally,
              const char *bytes, size_t length, uint64_t now);
