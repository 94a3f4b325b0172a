#pragma once

#include "options.h"
#include "publisher.h"
#include "sse.h"

#include <stdbool.h>

// Everything that is counted, at one moment.
struct snapshot {
    uint64_t at;
    double own_cpu, server_cpu;
    uint64_t events, reads, bytes, published, answered;
};

struct result {
    struct snapshot from, to;
    long memory_before, memory_open, memory_after;    // kB: before, with all connections idle, after their events
    double expected_s;                 // until each connection had what was expected
    int stalled;                       // connections that read nothing and are still open
    uint64_t missing;                  // published, never received
    const struct tally *tally;
    const struct published *published;
};

// `waited`: nanoseconds of its own processor time in which the generator had nothing to do.
struct snapshot snapshot_take(const struct options *o, const struct tally *tally, const struct published *published,
    uint64_t waited);
bool result_is_clean(const struct result *result);
void result_print(const struct options *options, const struct result *result);
