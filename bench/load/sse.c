#define _GNU_SOURCE
#include "sse.h"

#include "digits.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static const char *after_text(const char *text, size_t length, const char *what)
{
    const char *at = memmem(text, length, what, strlen(what));
    return at ? at + strlen(what) : NULL;
}

static bool starts_with(const char *text, size_t length, const char *what)
{
    return length >= strlen(what) && !memcmp(text, what, strlen(what));
}

static void count_event(struct reader *r, struct tally *tally, uint64_t n, uint32_t stride)
{
    if (r->next && n > r->next)
        tally->lost += (n - r->next) / stride;
    else if (n < r->next)
        tally->repeated++;
    if (n >= r->next)
        r->next = n + stride;
    r->received++;
    tally->events++;
}

static void sample_latency(struct tally *tally, const char *t, uint64_t now)
{
    if ((tally->events & 63) == 0)
        latency_add(&tally->latency, t_since(digits_t(t), now));
}

static void count_named(struct reader *r, struct tally *tally, const char *name, size_t length)
{
    if (starts_with(name, length, "gap"))
        tally->gaps++;
    else if (starts_with(name, length, "problem")) {
        tally->problems++;
        fprintf(stderr, "problem frame: %.*s", (int)r->carried, r->carry);
    } else if (starts_with(name, length, "end"))
        tally->ends++;
}

static void learn(const struct reader *r, struct shape *shape, uint32_t n_at, uint32_t t_at)
{
    shape->length = r->carried;
    shape->n_at = n_at;
    shape->t_at = t_at;
    memcpy(shape->start, r->carry, sizeof shape->start);
    bool alone = r->chunked && r->chunk_left == 0 && r->chunk_size == r->carried;
    shape->chunk_head_length = alone ? r->chunk_head_length : 0;
    memcpy(shape->chunk_head, r->chunk_head, sizeof shape->chunk_head);
}

static void take_frame(struct reader *r, struct shape *shape, struct tally *tally, uint64_t now)
{
    r->ready = true;
    const char *name = starts_with(r->carry, r->carried, "event:") ? r->carry + 6
        : after_text(r->carry, r->carried, "\nevent:");
    if (name) {
        name += *name == ' ';
        count_named(r, tally, name, (size_t)(r->carry + r->carried - name));
        return;
    }

    const char *n = after_text(r->carry, r->carried, "\"n\":");
    const char *t = after_text(r->carry, r->carried, "\"t\":");
    if (!n || !t || n + N_DIGITS > r->carry + r->carried || t + T_DIGITS > r->carry + r->carried)
        return;    // a comment, or a stray retry:
    count_event(r, tally, digits_n(n), shape->stride);
    sample_latency(tally, t, now);
    learn(r, shape, (uint32_t)(n - r->carry), (uint32_t)(t - r->carry));
}

static bool is_next(const struct reader *r, const struct shape *shape, const char *frame)
{
    return !memcmp(frame, shape->start, sizeof shape->start)
        && !memcmp(frame + shape->length - 2, "\n\n", 2)
        && digits_n(frame + shape->n_at) == r->next;
}

// The bytes that stand between here and the next frame when that comes in a chunk of its own, as the last one did.
// A read often ends with the CRLF of the last chunk: those two bytes are then behind us.
static const char *expected_chunk_head(const struct reader *r, const struct shape *shape, size_t *length)
{
    size_t behind = r->in_size && r->chunk_head_length == 2 ? 2 : 0;
    bool lost = r->in_size ? behind == 0 : r->chunk_head_length != 0;
    *length = lost || !shape->chunk_head_length ? 0 : shape->chunk_head_length - behind;
    return shape->chunk_head + behind;
}

// Skips the frames that are what was expected, whole and in this read.
static const char *skip_expected(struct reader *r, const struct shape *shape, struct tally *tally,
                                 const char *p, const char *end, uint64_t now)
{
    if (!shape->length || !r->next)
        return p;
    for (;;) {
        size_t head = 0;
        if (r->chunked && r->chunk_left == 0) {
            const char *expected = expected_chunk_head(r, shape, &head);
            if (!head || (size_t)(end - p) < head + shape->length || memcmp(p, expected, head))
                return p;
        } else if ((size_t)(end - p) < shape->length || (r->chunked && r->chunk_left < shape->length))
            return p;
        if (!is_next(r, shape, p + head))
            return p;
        r->next += shape->stride;
        r->received++;
        tally->events++;
        sample_latency(tally, p + head + shape->t_at, now);
        p += head + shape->length;
        if (head) {
            r->in_size = false;
            r->chunk_head_length = 0;
        } else if (r->chunked)
            r->chunk_left -= shape->length;
    }
}

static const char *take_chunk_head(struct reader *r, struct tally *tally, const char *p, const char *end)
{
    while (p < end) {
        char c = *p++;
        if (r->chunk_head_length < HEAD_LIMIT)
            r->chunk_head[r->chunk_head_length++] = c;
        if (!r->in_size) {    // the CRLF that ends the chunk before
            if (c != '\n')
                continue;
            r->in_size = true;
            r->ignoring = false;
            r->chunk_size = 0;
        } else if (c == '\n') {
            r->in_size = false;
            r->chunk_left = r->chunk_size;
            if (r->chunk_size == 0) {
                r->closed = true;
                tally->refused++;
            }
            return p;
        } else if (!isxdigit((unsigned char)c))
            r->ignoring = true;
        else if (!r->ignoring)
            r->chunk_size = r->chunk_size * 16 + (uint64_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return p;
}

static void carry_on(struct reader *r, const char *p, size_t length)
{
    if (r->carried + length > CARRY_LIMIT) {
        fprintf(stderr, "a frame or head of more than %d bytes\n", CARRY_LIMIT);
        exit(3);
    }
    if (r->carried + length > r->room) {
        r->room = (uint32_t)(r->carried + length) * 2 + 512;
        r->carry = realloc(r->carry, r->room);
    }
    memcpy(r->carry + r->carried, p, length);
    r->carried += (uint32_t)length;
}

static const char *take_frame_bytes(struct reader *r, struct shape *shape, struct tally *tally,
                                    const char *p, const char *end, uint64_t now)
{
    size_t room = (size_t)(end - p);
    if (r->chunked && r->chunk_left < room)
        room = r->chunk_left;
    const char *newline = memchr(p, '\n', room);
    size_t length = newline ? (size_t)(newline + 1 - p) : room;
    bool blank = newline == p && (r->carried == 0 || r->carry[r->carried - 1] == '\n');
    carry_on(r, p, length);
    if (r->chunked)
        r->chunk_left -= length;
    if (blank) {
        take_frame(r, shape, tally, now);
        r->carried = 0;
    }
    if (r->chunked && r->chunk_left == 0)
        r->chunk_head_length = 0;
    return p + length;
}

static const char *take_head(struct reader *r, struct tally *tally, const char *p, const char *end)
{
    while (p < end && !r->in_body) {
        carry_on(r, p++, 1);
        r->in_body = r->carried >= 4 && !memcmp(r->carry + r->carried - 4, "\r\n\r\n", 4);
    }
    if (!r->in_body)
        return p;
    r->carry[r->carried - 1] = 0;
    r->chunked = strcasestr(r->carry, "transfer-encoding: chunked");
    r->in_size = true;    // the first chunk has no CRLF before it
    if (strncmp(r->carry, "HTTP/1.1 200", 12)) {
        fprintf(stderr, "refused: %.60s\n", r->carry);
        tally->refused++;
    }
    r->carried = 0;
    return p;
}

void sse_feed(struct reader *r, struct shape *shape, struct tally *tally,
              const char *bytes, size_t length, uint64_t now)
{
    const char *p = bytes, *end = bytes + length;
    if (!r->in_body)
        p = take_head(r, tally, p, end);
    while (p < end && !r->closed) {
        if (r->carried == 0)
            p = skip_expected(r, shape, tally, p, end, now);
        if (p == end)
            return;
        if (r->chunked && r->chunk_left == 0)
            p = take_chunk_head(r, tally, p, end);
        else
            p = take_frame_bytes(r, shape, tally, p, end, now);
    }
}
