#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "load --port P [--read PATH --connections N] [--publish PATH]\n"
    "  --publishers 1   connections that publish      --pipeline 1  requests in flight on each\n"
    "  --batch 1        events a request               --size 200    bytes of an event's data\n"
    "  --window 4096    events ahead of the slowest    --rate 0      events a second, 0: by the window\n"
    "  --warmup 5       seconds                        --seconds 6   measured\n"
    "  --pid N          server, for its CPU time       --critical    publish critical events\n"
    "  --bare           POST the data alone            --ready-by-head  no first frame to wait for\n"
    "  --type bench     of the events                  --host NAME   127.0.0.1 in the Host header\n"
    "  --streams 1      {} in paths is one of so many    --idle 0  seconds before anything is published\n"
    "  --count N        publish N events, no longer      --expect N  end when each connection has N events\n"
    "  --tls --http2    for readers                      --publish-port P\n"
    "  --redis KEY      publish by XADD\n"
    "  --stalled 0      connections that read nothing of --stalled-read PATH\n"
    "Prints one JSON line. Exit: 0, 1 when something was lost or refused, 2 for bad options.\n";

static const struct option names[] = {
    {"port", 1, 0, 'p'}, {"host", 1, 0, 'H'}, {"read", 1, 0, 'r'}, {"publish", 1, 0, 'u'}, {"type", 1, 0, 't'},
    {"connections", 1, 0, 'c'}, {"publishers", 1, 0, 'P'}, {"pipeline", 1, 0, 'l'}, {"batch", 1, 0, 'b'},
    {"size", 1, 0, 's'}, {"window", 1, 0, 'w'}, {"rate", 1, 0, 'R'}, {"warmup", 1, 0, 'W'},
    {"seconds", 1, 0, 'S'}, {"pid", 1, 0, 'i'}, {"critical", 0, 0, 'C'}, {"bare", 0, 0, 'B'},
    {"ready-by-head", 0, 0, 'h'}, {"stalled", 1, 0, 'x'}, {"stalled-read", 1, 0, 'X'}, {"streams", 1, 0, 'm'},
    {"idle", 1, 0, 'I'}, {"count", 1, 0, 'n'}, {"expect", 1, 0, 'e'}, {"tls", 0, 0, 'T'}, {"http2", 0, 0, '2'},
    {"publish-port", 1, 0, 'q'}, {"redis", 1, 0, 'd'}, {0, 0, 0, 0},
};

static void refuse(const char *why)
{
    fprintf(stderr, "load: %s\n%s", why, usage);
    exit(2);
}

static void check(const struct options *o)
{
    if (o->port <= 0)
        refuse("--port is missing");
    if (!o->read && !o->publish && !o->redis)
        refuse("nothing to do: neither --read nor --publish");
    if (o->read && o->connections < 1)
        refuse("--read needs --connections");
    if (o->size < 64 || o->batch < 1 || o->pipeline < 1 || o->publishers < 1)
        refuse("--size is 64 or more, --batch, --pipeline and --publishers 1 or more");
    if (o->stalled < 0 || (o->stalled && !o->stalled_read))
        refuse("--stalled needs --stalled-read");
    if (o->streams < 1 || o->streams > 900000 || (o->streams > 1 && o->read && o->publish && o->rate <= 0))
        refuse("--streams is 1 to 900000; read and published, it needs --rate");
    if (o->read && o->window < o->batch)
        refuse("--window is smaller than --batch");
}

struct options options_read(int argc, char **argv)
{
    struct options o = {
        .host_name = "127.0.0.1", .type = "bench", .publishers = 1, .pipeline = 1, .batch = 1, .size = 200,
        .window = 4096, .streams = 1, .warmup = 5, .seconds = 6,
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'p': o.port = atoi(optarg); break;
        case 'H': o.host_name = optarg; break;
        case 'r': o.read = optarg; break;
        case 'u': o.publish = optarg; break;
        case 't': o.type = optarg; break;
        case 'c': o.connections = atoi(optarg); break;
        case 'P': o.publishers = atoi(optarg); break;
        case 'l': o.pipeline = atoi(optarg); break;
        case 'b': o.batch = atoi(optarg); break;
        case 's': o.size = atoi(optarg); break;
        case 'w': o.window = atoi(optarg); break;
        case 'R': o.rate = atof(optarg); break;
        case 'W': o.warmup = atof(optarg); break;
        case 'S': o.seconds = atof(optarg); break;
        case 'i': o.pid = atoi(optarg); break;
        case 'C': o.critical = true; break;
        case 'B': o.bare = true; break;
        case 'x': o.stalled = atoi(optarg); break;
        case 'X': o.stalled_read = optarg; break;
        case 'h': o.ready_by_head = true; break;
        case 'm': o.streams = atoi(optarg); break;
        case 'I': o.idle = atof(optarg); break;
        case 'n': o.count = atol(optarg); break;
        case 'e': o.expect = atol(optarg); break;
        case 'T': o.tls = true; break;
        case '2': o.http2 = true; break;
        case 'q': o.publish_port = atoi(optarg); break;
        case 'd': o.redis = optarg; break;
        default: refuse("unknown option");
        }
    }
    check(&o);
    if (!o.publish_port)
        o.publish_port = o.port;
    return o;
}

char *options_path(char *at, size_t size, const char *path, int stream)
{
    const char *place = strstr(path, "{}");
    if (!place) {
        snprintf(at, size, "%s", path);
        return NULL;
    }
    snprintf(at, size, "%.*s%0*d%s", (int)(place - path), path, STREAM_DIGITS, STREAM_FIRST + stream, place + 2);
    return at + (place - path);
}
