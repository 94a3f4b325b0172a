#define _GNU_SOURCE
#include "http2.h"

#include <stdio.h>
#include <string.h>

enum { DATA, HEADERS, RESET = 3, SETTINGS, PING = 6, GO_AWAY, WINDOW_UPDATE };
enum { ACKNOWLEDGES = 1, END_STREAM = 1, END_HEADERS = 4, PADDED = 8, PRIORITY = 32 };

#define WIDEST 0x7fffffffu
#define REFILL (1u << 30)

static char *put_frame(char *at, uint32_t length, uint8_t type, uint8_t flags, uint32_t stream)
{
    const uint8_t head[] = {
        (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length, type, flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream,
    };
    memcpy(at, head, sizeof head);
    return at + sizeof head;
}

static char *put_number(char *at, uint32_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (char)(n >> shift);
    return at;
}

// A header's value, not compressed (HPACK 5.2).
static char *put_text(char *at, const char *text)
{
    size_t length = strlen(text);
    if (length < 127)
        *at++ = (char)length;
    else {
        *at++ = 127;
        size_t rest = length - 127;
        for (; rest >= 128; rest >>= 7)
            *at++ = (char)(rest | 128);
        *at++ = (char)rest;
    }
    memcpy(at, text, length);
    return at + length;
}

bool http2_ask(struct wire *wire, const char *path, const char *host, bool secure)
{
    char request[4096], *p = stpcpy(request, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    p = put_frame(p, 6, SETTINGS, 0, 0);
    *p++ = 0;
    *p++ = 4;    // the window of each stream
    p = put_number(p, WIDEST);
    p = put_frame(p, 4, WINDOW_UPDATE, 0, 0);
    p = put_number(p, WIDEST - 65535);
    char *frame = p, *fields = p + 9;
    p = fields;
    *p++ = (char)0x82;                      // :method GET
    *p++ = (char)(secure ? 0x87 : 0x86);    // :scheme
    *p++ = 4;                               // :path
    p = put_text(p, path);
    *p++ = 1;                               // :authority
    p = put_text(p, host);
    *p++ = 15;                              // accept
    *p++ = 19 - 15;
    p = put_text(p, "text/event-stream");
    put_frame(frame, (uint32_t)(p - fields), HEADERS, END_STREAM | END_HEADERS, 1);
    return wire_write(wire, request, (size_t)(p - request)) == p - request;
}

static void answer(struct wire *wire, const char *frame, const char *end)
{
    if (wire_write(wire, frame, (size_t)(end - frame)) != end - frame)
        perror("http2");
}

static void open_window(struct http2 *h, struct wire *wire)
{
    char frames[26], *p = frames;
    for (uint32_t stream = 0; stream < 2; stream++)
        p = put_number(put_frame(p, 4, WINDOW_UPDATE, 0, stream), (uint32_t)h->unacknowledged);
    answer(wire, frames, p);
    h->unacknowledged = 0;
}

// The status is the first field, by its index; a change of the table's size may stand before it.
static bool says_200(const struct http2 *h)
{
    uint32_t at = (h->head[4] & PADDED ? 1 : 0) + (h->head[4] & PRIORITY ? 5 : 0);
    while (at < h->kept && (h->payload[at] & 0xe0) == 0x20)
        at++;
    return at < h->kept && h->payload[at] == 0x88;
}

static void end_frame(struct http2 *h, struct wire *wire, struct reader *reader, struct tally *tally)
{
    char frame[32];
    uint8_t type = h->head[3], flags = h->head[4];
    bool over = type == RESET || type == GO_AWAY || (type <= HEADERS && (flags & END_STREAM));
    if (type == SETTINGS && !(flags & ACKNOWLEDGES))
        answer(wire, frame, put_frame(frame, 0, SETTINGS, ACKNOWLEDGES, 0));
    if (type == PING && !(flags & ACKNOWLEDGES)) {
        char *p = put_frame(frame, 8, PING, ACKNOWLEDGES, 0);
        memcpy(p, h->payload, 8);
        answer(wire, frame, p + 8);
    }
    if (type == HEADERS) {
        reader->in_body = true;
        over |= !says_200(h);
    }
    if (over && !reader->closed) {
        reader->closed = true;
        tally->refused++;
        fprintf(stderr, "http2: ended by a frame of type %d, %02x\n", type, h->payload[0]);
    }
    if (h->unacknowledged > REFILL)
        open_window(h, wire);
    h->have = 0;
    h->kept = 0;
}

void http2_feed(struct http2 *h, struct wire *wire, struct reader *reader, struct shape *shape, struct tally *tally,
                const char *bytes, size_t length, uint64_t now)
{
    for (const char *p = bytes, *end = bytes + length; p < end && !reader->closed;) {
        if (h->have < sizeof h->head) {
            h->head[h->have++] = (uint8_t)*p++;
            if (h->have < sizeof h->head)
                continue;
            h->left = (uint32_t)(h->head[0] << 16 | h->head[1] << 8 | h->head[2]);
        }
        uint32_t part = (uint32_t)(end - p) < h->left ? (uint32_t)(end - p) : h->left;
        if (h->head[3] == DATA) {
            h->unacknowledged += part;
            if (part)
                sse_feed(reader, shape, tally, p, part, now);
        } else {
            uint32_t room = (uint32_t)sizeof h->payload - h->kept, kept = part < room ? part : room;
            memcpy(h->payload + h->kept, p, kept);
            h->kept += kept;
        }
        p += part;
        h->left -= part;
        if (h->left == 0)
            end_frame(h, wire, reader, tally);
    }
}
