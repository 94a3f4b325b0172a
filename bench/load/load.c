// Opens N event streams, publishes into them and checks every frame of every one. One thread, one epoll.
#define _GNU_SOURCE
#include "digits.h"
#include "measure.h"
#include "options.h"
#include "publisher.h"
#include "report.h"
#include "sse.h"

#include <arpa/inet.h>
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

static struct options options;
static int poller;
static struct reader *readers;
static struct publisher *publishers;
static int *stalled;
static struct shape shape;
static struct tally tally;
static struct published published = {.next = N_FIRST};
static uint64_t next_due;

static void fail(const char *what)
{
    perror(what);
    exit(3);
}

// A small receive buffer, where one is given, fills soon.
static int connect_to(int port, int receive_buffer)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void watch(int fd, void *what, uint32_t events)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    struct epoll_event event = {.events = events, .data.ptr = what};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll");
}

static void ask(int fd, const char *path)
{
    char request[2048];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n",
        path, options.host_name);
    if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        fail("request");
}

static void open_reader(struct reader *r)
{
    r->fd = connect_to(options.port, 0);
    ask(r->fd, options.read);
    watch(r->fd, r, EPOLLIN);
}

static void open_stalled(void)
{
    stalled = calloc((size_t)options.stalled, sizeof *stalled);
    for (int i = 0; i < options.stalled; i++) {
        stalled[i] = connect_to(options.port, STALLED_BUFFER);
        ask(stalled[i], options.stalled_read);
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

static void read_from(struct reader *r)
{
    static char buffer[READ_SIZE];
    ssize_t n = recv(r->fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0)
        sse_feed(r, &shape, &tally, buffer, (size_t)n, now_ns());
    if (n > 0 && !r->closed)
        return;
    if (n <= 0)
        tally.refused++;
    r->closed = true;
    epoll_ctl(poller, EPOLL_CTL_DEL, r->fd, NULL);
}

static bool is_publisher(const void *what)
{
    return what >= (void *)publishers && what < (void *)(publishers + options.publishers);
}

// Waits until something comes, or `until`; takes what came.
static void turn(uint64_t until)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t now = now_ns(), left = until > now ? until - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    int count = epoll_pwait2(poller, events, EVENTS_AT_ONCE, &timeout, NULL);
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

static uint64_t slowest(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < options.connections; i++)
        if (readers[i].received < least && !readers[i].closed)
            least = readers[i].received;
    return least == UINT64_MAX ? published.next - N_FIRST : least;
}

static bool window_is_open(void)
{
    static uint64_t known;    // the slowest at the last look: looking costs a walk over all readers
    uint64_t after = published.next - N_FIRST + (uint64_t)options.batch;
    if (!options.read || after <= known + (uint64_t)options.window)
        return true;
    known = slowest();
    return after <= known + (uint64_t)options.window;
}

static void publish_what_may_go(void)
{
    for (int i = 0; i < options.publishers; i++)
        while (publisher_can_send(&publishers[i], &options)) {
            if (options.rate > 0 && now_ns() < next_due)
                return;
            if (!window_is_open())
                return;
            publisher_send(&publishers[i], &options, &published);
            next_due += options.rate > 0 ? (uint64_t)(1e9 * options.batch / options.rate) : 0;
        }
}

static void run(double seconds)
{
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
    while (now_ns() < until) {
        if (options.publish)
            publish_what_may_go();
        turn(options.rate > 0 && next_due < until ? next_due : until);
    }
}

static bool is_ready(const struct reader *r) { return r->ready || (options.ready_by_head && r->in_body); }

static void open_readers(void)
{
    readers = calloc((size_t)options.connections, sizeof *readers);
    uint64_t deadline = now_ns() + 60000000000ull;
    for (int opened = 0, ready = 0; ready < options.connections;) {
        for (int i = 0; i < CONNECT_AT_ONCE && opened < options.connections && opened - ready < CONNECT_AT_ONCE; i++)
            open_reader(&readers[opened++]);
        turn(now_ns() + 100000000);
        while (ready < opened && is_ready(&readers[ready]))
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
        publishers[i].fd = connect_to(options.port, 0);
        watch(publishers[i].fd, &publishers[i], EPOLLIN | EPOLLOUT | EPOLLET);
    }
}

static bool is_drained(void)
{
    for (int i = 0; i < options.publishers; i++)
        if (publishers[i].in_flight)
            return false;
    return !options.read || slowest() == published.next - N_FIRST;
}

// What was published after the measurement must still arrive everywhere: that is the proof that nothing was lost.
static uint64_t drain(void)
{
    uint64_t deadline = now_ns() + 20000000000ull, missing = 0;
    while (!is_drained() && now_ns() < deadline)
        turn(now_ns() + 10000000);
    for (int i = 0; i < options.connections; i++)
        missing += published.next - N_FIRST - readers[i].received;
    return missing;
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
    if (options.publish)
        open_publishers();
    open_stalled();
    if (options.read)
        open_readers();
    next_due = now_ns();
    run(options.warmup);
    memset(&tally.latency, 0, sizeof tally.latency);
    memset(&published.latency, 0, sizeof published.latency);
    result.from = snapshot_take(&options, &tally, &published);
    run(options.seconds);
    result.to = snapshot_take(&options, &tally, &published);
    result.stalled = still_stalled();
    if (options.publish)
        result.missing = drain();
    if (options.publishers > 1)
        tally.lost = tally.repeated = 0;    // several publishers interleave: then `missing` is the check
    result_print(&options, &result);
    return result_is_clean(&result) ? 0 : 1;
}
