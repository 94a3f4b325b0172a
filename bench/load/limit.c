// The physical limit: an event stream server that does nothing but what must be done. No checks, no formats, no HTTP
// beyond what the generator speaks. Frames are built once, each in its chunk; one send() per connection and sweep
// carries everything since that connection's position.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RING = 64 << 20, INPUT = 1 << 20, SEND_LIMIT = 64 << 10, FILES = 65536, EVENTS_AT_ONCE = 256 };

struct connection {
    int fd;
    bool reads;                // an event stream; otherwise a publisher
    uint64_t at;               // position in all bytes ever
    size_t length;
    char *input;
};

static struct connection *connections[FILES];
static int reading[FILES], readers;
static char *ring;
static uint64_t head, seq;
static int poller;

static void fail(const char *what)
{
    perror(what);
    exit(3);
}

// Bytes go round at the end of the ring: a send stops there and the next one goes on.
static void append(const char *data, size_t length)
{
    static const char id[] = "AAAAAAAAAAAAAAAAAAAA";
    static char frame[1 << 20];
    int body = snprintf(frame + 16, sizeof frame - 16,
        "id: %s\ndata: {\"id\":\"%s\",\"seq\":%lu,\"stream\":\"bench\",\"type\":\"bench\",\"version\":1,"
        "\"time\":\"2000-01-01T00:00:00.000Z\",\"critical\":false,\"data\":%.*s}\n\n",
        id, id, ++seq, (int)length, data);
    char size[16];
    int prefix = snprintf(size, sizeof size, "%x\r\n", body);
    char *start = frame + 16 - prefix;
    memcpy(start, size, (size_t)prefix);
    memcpy(frame + 16 + body, "\r\n", 2);
    size_t all = (size_t)(prefix + body + 2);
    for (size_t done = 0; done < all; done++)
        ring[(head + done) % RING] = start[done];
    head += all;
}

static void append_lines(const char *body, size_t length)
{
    for (const char *line = body, *end = body + length; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        const char *data = memmem(line, (size_t)(stop - line), "\"data\":", 7);
        if (data)
            append(data + 7, (size_t)(stop - 1 - (data + 7)));
        line = stop + 1;
    }
}

static void become_reader(struct connection *c)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1b\r\nevent: connected\ndata: {}\n\n\r\n";
    if (send(c->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
        return;
    c->reads = true;
    c->at = head;
    reading[readers++] = c->fd;
}

// Takes the requests that are whole.
static void take_input(struct connection *c)
{
    static const char answer[] = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
    for (;;) {
        char *body = memmem(c->input, c->length, "\r\n\r\n", 4);
        if (!body)
            return;
        body += 4;
        const char *field = memmem(c->input, (size_t)(body - c->input), "Content-Length: ", 16);
        size_t size = field ? strtoul(field + 16, NULL, 10) : 0, all = (size_t)(body - c->input) + size;
        if (c->length < all)
            return;
        if (c->input[0] == 'G')
            become_reader(c);
        else {
            append_lines(body, size);
            if (send(c->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
                return;
        }
        c->length -= all;
        memmove(c->input, c->input + all, c->length);
    }
}

static void drop(struct connection *c)
{
    for (int i = 0; i < readers; i++)
        if (reading[i] == c->fd)
            reading[i--] = reading[--readers];
    connections[c->fd] = NULL;
    close(c->fd);
    free(c->input);
    free(c);
}

static void take(struct connection *c)
{
    ssize_t n = recv(c->fd, c->input + c->length, INPUT - c->length, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->length += (size_t)n;
    take_input(c);
}

// One send per connection; true while some socket is full.
static bool sweep(void)
{
    bool full = false;
    for (int i = 0; i < readers; i++) {
        struct connection *c = connections[reading[i]];
        if (c->at == head)
            continue;
        if (head - c->at > RING) {
            fprintf(stderr, "a reader fell out of the ring\n");
            exit(1);
        }
        uint64_t from = c->at % RING, length = head - c->at;
        if (length > SEND_LIMIT)
            length = SEND_LIMIT;
        if (length > RING - from)
            length = RING - from;
        ssize_t n = send(c->fd, ring + from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            c->at += (uint64_t)n;
        full |= c->at != head;
    }
    return full;
}

static void welcome(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (fd < 0 || fd >= FILES)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = connections[fd] = calloc(1, sizeof *c);
    c->fd = fd;
    c->input = malloc(INPUT);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static int listen_on(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
        fail("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    return fd;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc != 2) {
        fprintf(stderr, "limit PORT\n");
        return 2;
    }
    poller = epoll_create1(0);
    ring = malloc(RING);
    int listener = listen_on(atoi(argv[1]));

    for (bool full = false;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int count = epoll_wait(poller, events, EVENTS_AT_ONCE, full ? 1 : -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                welcome(listener);
            else if (connections[fd])
                take(connections[fd]);
        }
        full = sweep();
    }
}
