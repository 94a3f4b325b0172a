// The generator's own check: the reader must count the same whatever way the bytes are cut.
#include "digits.h"
#include "sse.h"

#include <stdio.h>
#include <stdlib.h>

static char text[65536];
static size_t length;

static void add_chunk(const char *bytes, size_t size)
{
    length += (size_t)sprintf(text + length, "%zx\r\n", size);
    memcpy(text + length, bytes, size);
    length += size;
    length += (size_t)sprintf(text + length, "\r\n");
}

static void add_text(const char *frame) { add_chunk(frame, strlen(frame)); }

static size_t frame(char *at, uint64_t n, bool data_first)
{
    char data[128];
    sprintf(data, "data: {\"seq\":%lu,\"data\":{\"t\":1000000000000000,\"n\":%lu}}\n", n - N_FIRST, n);
    return (size_t)sprintf(at, data_first ? "%s%s\n" : "%2$s%1$s\n", data, "id: AAAAAAAAAAAAAAAAAAAA\n");
}

// 40 events: alone in their chunks, six in a chunk, one over two chunks; one number is skipped, one comes twice.
static void build(bool data_first)
{
    char bytes[4096];
    size_t size = 0;
    length = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    add_text("event: connected\nid: x\nretry: 1000\ndata: {}\n\n");
    uint64_t n = N_FIRST;
    for (int i = 0; i < 20; i++)
        add_chunk(bytes, frame(bytes, n++, data_first));
    add_text("event: heartbeat\ndata: {}\n\n");
    for (int i = 0; i < 6; i++)
        size += frame(bytes + size, n++, data_first);
    add_chunk(bytes, size);
    size = frame(bytes, n++, data_first);
    add_chunk(bytes, 30);
    add_chunk(bytes + 30, size - 30);
    add_text("event: gap\ndata: {}\n\n");
    n++;
    for (int i = 0; i < 12; i++)
        add_chunk(bytes, frame(bytes, n++, data_first));
    add_chunk(bytes, frame(bytes, n - 1, data_first));
}

static void expect(const char *what, uint64_t is, uint64_t should_be, size_t step)
{
    if (is == should_be)
        return;
    fprintf(stderr, "cut every %zu bytes: %s is %lu, not %lu\n", step, what, is, should_be);
    exit(1);
}

static void feed_in_steps(size_t step, bool data_first)
{
    struct reader reader = {0};
    struct shape shape = {.stride = 1};
    struct tally tally = {0};
    for (size_t at = 0; at < length; at += step)
        sse_feed(&reader, &shape, &tally, text + at, length - at < step ? length - at : step, 0);
    expect(data_first ? "events, data first" : "events", tally.events, 40, step);
    expect("lost", tally.lost, 1, step);
    expect("repeated", tally.repeated, 1, step);
    expect("gaps", tally.gaps, 1, step);
    expect("refused", tally.refused, 0, step);
    expect("bytes carried", reader.carried, 0, step);
    free(reader.carry);
}

static void check_numbers(void)
{
    char at[16];
    uint64_t n = N_FIRST;
    for (int i = 0; i < 100000; i++, n += 89999) {
        digits_put(at, n, N_DIGITS);
        expect("n", digits_n(at), n, 0);
        digits_put(at, t_stamp(n * 7919), T_DIGITS);
        expect("t", digits_t(at), t_stamp(n * 7919), 0);
        expect("since", t_since(digits_t(at), n * 7919 + 12345), 12345, 0);
    }
}

static void check_latencies(void)
{
    static struct latencies all;
    for (uint64_t ns = 1000; ns <= 10000000; ns += 1000)
        latency_add(&all, ns);
    double median = latency_ms(&all, 0.5), tail = latency_ms(&all, 0.99);
    expect("median within 4 %", median > 4.8 && median < 5.2, 1, 0);
    expect("p99 within 4 %", tail > 9.5 && tail < 10.3, 1, 0);
}

int main(void)
{
    check_numbers();
    check_latencies();
    for (int data_first = 0; data_first < 2; data_first++) {
        build(data_first);
        for (size_t step = 1; step <= length; step++)
            feed_in_steps(step, data_first);
    }
    puts("load: the reader counts the same however its bytes are cut");
    return 0;
}
