// One keep-alive connection that publishes. Its request has a fixed length: it is built once and patched in place.
#pragma once

#include "measure.h"
#include "options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESPONSE_LIMIT = 65536, PIPELINE_LIMIT = 256 };

struct published {
    uint64_t next;                     // the counter of the next event to go out
    uint64_t answered, durable;        // events answered with 2xx; of those, said to be durable
    uint64_t refused;                  // requests answered otherwise
    struct latencies latency;          // a request from its first byte to its answer
};

struct publisher {
    int fd;
    int in_flight, oldest;
    uint64_t sent_at[PIPELINE_LIMIT];
    char *request;
    size_t head_length, event_length, length, sent;
    size_t n_at, t_at;                 // within an event's line
    char *stream;                      // its number in the path, NULL when there is one
    size_t answer_length;
    char answer[RESPONSE_LIMIT];
};

void publisher_build(struct publisher *publisher, const struct options *options);
bool publisher_can_send(const struct publisher *publisher, const struct options *options);
void publisher_send(struct publisher *publisher, const struct options *options, struct published *all);
void publisher_flush(struct publisher *publisher);
void publisher_take(struct publisher *publisher, const struct options *options, struct published *all);
