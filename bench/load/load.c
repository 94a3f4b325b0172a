// Opens N event streams, publishes into them and checks every frame of every one. One thread, one epoll.
#define _GNU_SOURCE
#include "digits.h"
#include "http2.h"
#include "measure.h"
#include "options.h"
#include "publisher.h"
#include "report.h"
#include "sse.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 128 * 1024, EVENTS_AT_ONCE = 256, CONNECT_AT_ONCE = 100, STALLED_BUFFER = 4096 };

// Long enough for anything that has to be done rather than timed.
#define LIMIT_NS 120000000000ull

struct connection {
    struct wire wire;
    struct reader reader;
    struct http2 http2;
};

enum { LOOK_EVERY_NS = 20000 };

static struct options options;
static int poller;
static struct connection *connections;
static struct publisher *publishers;
static int *stalled;
static struct shape shape;
static struct tally tally;
static struct published published = {.next = N_FIRST};
static uint64_t next_due, waited;

static void fail(const char *what)
{
    perror(what);
    exit(3);
}

static void watch(int fd, void *what, uint32_t events)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    struct epoll_event event = {.events = events, .data.ptr = what};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll");
}

static void ask(struct wire *wire, const char *path)
{
    char request[4096];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n",
        path, options.host_name);
    if (wire_write(wire, request, (size_t)length) != length)
        fail("request");
}

static void open_connection(int i)
{
    struct connection *c = &connections[i];
    char path[2048];
    options_path(path, sizeof path, options.read, i % options.streams);
    enum security security = !options.tls ? PLAIN : options.http2 ? TLS_HTTP2 : TLS_HTTP1;
    wire_connect(&c->wire, options.port, security, i, 0);
    if (!options.http2)
        ask(&c->wire, path);
    else if (!http2_ask(&c->wire, path, options.host_name, options.tls))
        fail("request");
    watch(c->wire.fd, c, EPOLLIN);
}

static void open_stalled(void)
{
    stalled = calloc((size_t)options.stalled, sizeof *stalled);
    for (int i = 0; i < options.stalled; i++) {
        struct wire wire;
        wire_connect(&wire, options.port, PLAIN, i, STALLED_BUFFER);
        ask(&wire, options.stalled_read);
        stalled[i] = wire.fd;
    }
}

// How many of them the server still holds, with bytes that wait for them.
static int still_stalled(void)
{
    int count = 0;
    for (int i = 0, unread; i < options.stalled; i++) {
        struct tcp_info info;
        socklen_t size = sizeof info;
        bool open = !getsockopt(stalled[i], IPPROTO_TCP, TCP_INFO, &info, &size) && info.tcpi_state == TCP_ESTABLISHED;
        count += open && !ioctl(stalled[i], FIONREAD, &unread) && unread > 0;
    }
    return count;
}

// As much as one turn of one connection takes: TLS gives a record at a time.
static ssize_t read_much(struct connection *c, char *buffer, size_t size)
{
    ssize_t all = 0, n = 0;
    do {
        n = wire_read(&c->wire, buffer + all, size - (size_t)all);
        all += n > 0 ? n : 0;
    } while (c->wire.tls && n > 0 && (size_t)all < size);
    return all ? all : n;
}

static void read_from(struct connection *c)
{
    static char buffer[READ_SIZE];
    ssize_t n;
    do {
        n = read_much(c, buffer, sizeof buffer);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0) {
            tally.reads++;
            tally.bytes += (uint64_t)n;
            if (options.http2)
                http2_feed(&c->http2, &c->wire, &c->reader, &shape, &tally, buffer, (size_t)n, now_ns());
            else
                sse_feed(&c->reader, &shape, &tally, buffer, (size_t)n, now_ns());
        }
        // What TLS has taken from the socket, the poller does not know of.
    } while (c->wire.tls && n > 0 && !c->reader.closed);
    if (n > 0 && !c->reader.closed)
        return;
    if (n <= 0)
        tally.refused++;
    c->reader.closed = true;
    epoll_ctl(poller, EPOLL_CTL_DEL, c->wire.fd, NULL);
}

static bool is_publisher(const void *what)
{
    return what >= (void *)publishers && what < (void *)(publishers + options.publishers);
}

// Sleeps until something comes, or `until`, where events come at a pace.
static int sleep_for(struct epoll_event *events, uint64_t until)
{
    uint64_t now = now_ns(), left = until > now ? until - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    return epoll_pwait2(poller, events, EVENTS_AT_ONCE, &timeout, NULL);
}

// As fast as it goes it does not sleep: over loopback the sender would pay for waking it, and least the one that keeps
// it busy, which no client behind a network has a server do.
static int look_for(struct epoll_event *events, uint64_t until)
{
    uint64_t began = now_ns(), now = began;
    int count;
    while (!(count = epoll_wait(poller, events, EVENTS_AT_ONCE, 0)) && now < until) {
        // Each look takes a lock that the sender needs, too.
        for (uint64_t next = now + LOOK_EVERY_NS; now < next && now < until;)
            now = now_ns();
    }
    waited += now - began;
    return count;
}

// Takes what comes next, if it comes before `until`.
static void turn(uint64_t until)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = options.rate > 0 ? sleep_for(events, until) : look_for(events, until);
    for (int i = 0; i < count; i++) {
        void *what = events[i].data.ptr;
        if (!is_publisher(what)) {
            read_from(what);
            continue;
        }
        if (events[i].events & EPOLLOUT)
            publisher_flush(what);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            publisher_take(what, &options, &published);
    }
}

// Of the events published so far, those of a connection's stream.
static uint64_t meant_for(int i)
{
    uint64_t all = published.next - N_FIRST, streams = (uint64_t)options.streams;
    return (all + streams - 1 - (uint64_t)i % streams) / streams;
}

static uint64_t slowest(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < options.connections; i++)
        if (connections[i].reader.received < least && !connections[i].reader.closed)
            least = connections[i].reader.received;
    return least == UINT64_MAX ? published.next - N_FIRST : least;
}

static bool window_is_open(void)
{
    static uint64_t known;    // the slowest at the last look: looking costs a walk over all readers
    uint64_t after = published.next - N_FIRST + (uint64_t)options.batch;
    if (!options.read || options.streams > 1 || after <= known + (uint64_t)options.window)
        return true;
    known = slowest();
    return after <= known + (uint64_t)options.window;
}

static bool all_are_published(void)
{
    return options.count && published.next - N_FIRST >= (uint64_t)options.count;
}

static void publish_what_may_go(void)
{
    for (int i = 0; i < options.publishers; i++)
        while (publisher_can_send(&publishers[i], &options)) {
            if (all_are_published() || (options.rate > 0 && now_ns() < next_due))
                return;
            if (!window_is_open())
                return;
            publisher_send(&publishers[i], &options, &published);
            next_due += options.rate > 0 ? (uint64_t)(1e9 * options.batch / options.rate) : 0;
        }
}

static bool is_answered(void)
{
    for (int i = 0; i < options.publishers; i++)
        if (publishers[i].in_flight)
            return false;
    return true;
}

static bool is_over(uint64_t until)
{
    if (options.count)
        return all_are_published() && is_answered();
    if (options.expect)
        return slowest() >= (uint64_t)options.expect;
    return now_ns() >= until;
}

static void run(double seconds)
{
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
    if (options.count || options.expect)
        until = now_ns() + LIMIT_NS;
    while (!is_over(until)) {
        if (now_ns() > until && (options.count || options.expect)) {
            fprintf(stderr, "not done after %llu s\n", LIMIT_NS / 1000000000);
            exit(3);
        }
        if (publishers)
            publish_what_may_go();
        turn(options.expect ? now_ns() + 1000000 : options.rate > 0 && next_due < until ? next_due : until);
    }
}

static void stay_idle(double seconds)
{
    for (uint64_t until = now_ns() + (uint64_t)(seconds * 1e9); now_ns() < until;)
        turn(until);
}

static bool is_ready(const struct connection *c)
{
    return c->reader.ready || (options.ready_by_head && c->reader.in_body);
}

static void open_readers(void)
{
    connections = calloc((size_t)options.connections, sizeof *connections);
    uint64_t deadline = now_ns() + 60000000000ull;
    for (int opened = 0, ready = 0; ready < options.connections;) {
        for (int i = 0; i < CONNECT_AT_ONCE && opened < options.connections && opened - ready < CONNECT_AT_ONCE; i++)
            open_connection(opened++);
        turn(now_ns() + 100000000);
        while (ready < opened && is_ready(&connections[ready]))
            ready++;
        if (now_ns() > deadline) {
            fprintf(stderr, "only %d of %d connections are ready after a minute\n", ready, options.connections);
            exit(3);
        }
    }
}

static void open_publishers(void)
{
    publishers = calloc((size_t)options.publishers, sizeof *publishers);
    for (int i = 0; i < options.publishers; i++) {
        publisher_build(&publishers[i], &options);
        struct wire wire;
        wire_connect(&wire, options.publish_port, PLAIN, i, 0);
        publishers[i].fd = wire.fd;
        watch(publishers[i].fd, &publishers[i], EPOLLIN | EPOLLOUT | EPOLLET);
    }
}

static uint64_t missing_now(void)
{
    uint64_t missing = 0;
    for (int i = 0; options.read && i < options.connections; i++)
        missing += meant_for(i) - connections[i].reader.received;
    return missing;
}

static bool is_drained(void)
{
    if (!is_answered())
        return false;
    for (int i = 0; options.read && i < options.connections; i++)
        if (!connections[i].reader.closed && connections[i].reader.received < meant_for(i))
            return false;
    return true;
}

// What was published after the measurement must still arrive everywhere: that is the proof that nothing was lost.
static uint64_t drain(void)
{
    uint64_t deadline = now_ns() + 20000000000ull;
    while (!is_drained() && now_ns() < deadline)
        turn(now_ns() + 10000000);
    return missing_now();
}

int main(int argc, char **argv)
{
    options = options_read(argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);

    struct result result = {.tally = &tally, .published = &published};
    bool publishes = options.publish || options.redis;
    shape.stride = (uint32_t)options.streams;
    result.memory_before = process_memory_kb(options.pid);
    if (publishes)
        open_publishers();
    open_stalled();
    uint64_t began = now_ns();
    if (options.read)
        open_readers();
    stay_idle(options.idle);
    result.memory_open = process_memory_kb(options.pid);
    next_due = now_ns();
    if (!options.count && !options.expect)
        run(options.warmup);
    memset(&tally.latency, 0, sizeof tally.latency);
    memset(&published.latency, 0, sizeof published.latency);
    result.from = snapshot_take(&options, &tally, &published, waited);
    run(options.seconds);
    result.to = snapshot_take(&options, &tally, &published, waited);
    result.expected_s = (double)(result.to.at - began) / 1e9;
    result.stalled = still_stalled();
    if (publishes)
        result.missing = drain();
    result.memory_after = process_memory_kb(options.pid);
    if (options.publishers > 1 || options.expect)
        tally.lost = tally.repeated = 0;    // several publishers interleave: then `missing` is the check
    result_print(&options, &result);
    return result_is_clean(&result) ? 0 : 1;
}
