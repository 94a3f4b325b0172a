// As much of HTTP/2 as one request for an event stream needs: its frames in, its body out.
#pragma once

#include "sse.h"
#include "wire.h"

struct http2 {
    uint8_t head[9];           // of the frame being read
    uint8_t have;
    uint32_t left;             // of its payload
    uint8_t payload[64];       // of a control frame, as far as it fits
    uint32_t kept;
    uint64_t unacknowledged;   // bytes of data taken since the window was last opened
};

// Sends the preface, wide windows, and GET.
bool http2_ask(struct wire *wire, const char *path, const char *host, bool secure);

void http2_feed(struct http2 *h, struct wire *wire, struct reader *reader, struct shape *shape, struct tally *tally,
                const char *bytes, size_t length, uint64_t now);
