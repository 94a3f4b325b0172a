#define _GNU_SOURCE
#include "publisher.h"

#include "digits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void fail(const char *what)
{
    perror(what);
    exit(3);
}

// {"pad":"xxxx","t":1000000000000000,"n":1000000000} of exactly the size asked for.
static size_t write_data(char *at, int size)
{
    static const char numbers[] = "\",\"t\":0000000000000000,\"n\":0000000000}";
    size_t pad = (size_t)size - strlen("{\"pad\":\"") - strlen(numbers);
    char *p = stpcpy(at, "{\"pad\":\"");
    memset(p, 'x', pad);
    p = stpcpy(p + pad, numbers);
    return (size_t)(p - at);
}

static size_t write_event(char *at, const struct options *o)
{
    char *p = at;
    if (!o->bare) {
        p += sprintf(p, "{\"type\":\"%s\",%s\"data\":", o->type, o->critical ? "\"critical\":true," : "");
        p += write_data(p, o->size);
        *p++ = '}';
    } else
        p += write_data(p, o->size);
    if (o->batch > 1)
        *p++ = '\n';
    return (size_t)(p - at);
}

static size_t write_head(struct publisher *p, const struct options *o, size_t body)
{
    char path[2048];
    char *stream = options_path(path, sizeof path, o->publish, 0);
    if (stream)
        p->stream = p->request + strlen("POST ") + (stream - path);
    return (size_t)snprintf(p->request, 4096,
        "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", path, o->host_name,
        o->bare ? "text/plain" : o->batch > 1 ? "application/x-ndjson" : "application/json", body);
}

static size_t write_redis_head(struct publisher *p, const struct options *o)
{
    return (size_t)snprintf(p->request, 4096,
        "*5\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$1\r\n*\r\n$1\r\ne\r\n$%zu\r\n", strlen(o->redis), o->redis,
        p->event_length);
}

void publisher_build(struct publisher *p, const struct options *o)
{
    char *event = malloc((size_t)o->size + 512);
    p->event_length = write_event(event, o);
    p->n_at = (size_t)((char *)memmem(event, p->event_length, "\"n\":", 4) + 4 - event);
    p->t_at = (size_t)((char *)memmem(event, p->event_length, "\"t\":", 4) + 4 - event);

    size_t body = p->event_length * (size_t)o->batch;
    p->request = malloc(body + 4096);
    p->head_length = o->redis ? write_redis_head(p, o) : write_head(p, o, body);
    p->length = p->sent = p->head_length + body + (o->redis ? 2 : 0);
    for (int i = 0; i < o->batch; i++)
        memcpy(p->request + p->head_length + (size_t)i * p->event_length, event, p->event_length);
    if (o->redis)
        memcpy(p->request + p->length - 2, "\r\n", 2);
    free(event);
}

bool publisher_can_send(const struct publisher *p, const struct options *o)
{
    return p->sent == p->length && p->in_flight < o->pipeline && p->in_flight < PIPELINE_LIMIT;
}

void publisher_flush(struct publisher *p)
{
    while (p->sent < p->length) {
        ssize_t n = send(p->fd, p->request + p->sent, p->length - p->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            fail("publish");
        p->sent += (size_t)n;
    }
}

void publisher_send(struct publisher *p, const struct options *o, struct published *all)
{
    uint64_t now = now_ns();
    char *event = p->request + p->head_length;
    if (p->stream) {
        uint64_t turn = (all->next - N_FIRST) / (uint64_t)o->batch % (uint64_t)o->streams;
        digits_put(p->stream, STREAM_FIRST + turn, STREAM_DIGITS);
    }
    for (int i = 0; i < o->batch; i++, event += p->event_length) {
        digits_put(event + p->n_at, all->next++, N_DIGITS);
        digits_put(event + p->t_at, t_stamp(now), T_DIGITS);
    }
    p->sent_at[(p->oldest + p->in_flight++) % PIPELINE_LIMIT] = now;
    p->sent = 0;
    publisher_flush(p);
}

// The length of the chunked body at `body` with its last chunk, 0 while it is incomplete.
static size_t chunked_length(const char *body, const char *end)
{
    for (const char *p = body;;) {
        const char *line = memmem(p, (size_t)(end - p), "\r\n", 2);
        if (!line)
            return 0;
        size_t size = strtoul(p, NULL, 16);
        p = line + 2 + size + 2;
        if (p > end)
            return 0;
        if (size == 0)
            return (size_t)(p - body);
    }
}

// The length of the first whole answer at `answer`, which ends with a zero, 0 while there is none.
static size_t answer_length(char *answer, const char *end)
{
    char *body = strstr(answer, "\r\n\r\n");
    if (!body)
        return 0;
    *body = 0;
    const char *length = strcasestr(answer, "\r\ncontent-length:");
    bool chunked = strcasestr(answer, "\r\ntransfer-encoding: chunked");
    *body = '\r';
    body += 4;
    size_t size = length ? strtoul(length + 17, NULL, 10) : 0, have = (size_t)(end - body);
    if (chunked && !(size = chunked_length(body, end)))
        return 0;
    return have < size ? 0 : (size_t)(body - answer) + size;
}

// $LENGTH, an id; or -, an error.
static size_t redis_answer_length(const char *answer, const char *end)
{
    const char *line = strstr(answer, "\r\n");
    if (!line)
        return 0;
    size_t whole = (size_t)(line + 2 - answer) + (*answer == '$' ? strtoul(answer + 1, NULL, 10) + 2 : 0);
    return whole <= (size_t)(end - answer) ? whole : 0;
}

static void count_answer(struct publisher *p, const struct options *o, struct published *all, const char *answer,
                         size_t length)
{
    latency_add(&all->latency, now_ns() - p->sent_at[p->oldest]);
    p->oldest = (p->oldest + 1) % PIPELINE_LIMIT;
    p->in_flight--;
    if (o->redis ? *answer != '$' : strncmp(answer, "HTTP/1.1 2", 10)) {
        if (all->refused++ == 0)
            fprintf(stderr, "publish refused: %.*s\n", (int)(length < 900 ? length : 900), answer);
        return;
    }
    all->answered += (uint64_t)o->batch;
    if (memmem(answer, length, "\"durable\":true", 14))
        all->durable += (uint64_t)o->batch;
}

void publisher_take(struct publisher *p, const struct options *o, struct published *all)
{
    ssize_t n = recv(p->fd, p->answer + p->answer_length, RESPONSE_LIMIT - 1 - p->answer_length, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail("publish: connection closed");
    p->answer_length += (size_t)n;
    char *at = p->answer, *end = p->answer + p->answer_length;
    *end = 0;
    for (size_t length; p->in_flight; at += length) {
        length = o->redis ? redis_answer_length(at, end) : answer_length(at, end);
        if (!length)
            break;
        count_answer(p, o, all, at, length);
    }
    p->answer_length = (size_t)(end - at);
    memmove(p->answer, at, p->answer_length);
}
