#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
    int port;
    const char *host_name;     // for the Host header
    const char *read;          // path of the SSE responses
    const char *publish;       // path to POST to; NULL: somebody else publishes
    const char *type;          // the events' type
    int connections;
    int streams;               // {} in paths stands for the number of one, as wide as all; they take turns
    bool tls, http2;           // for readers; publishers speak HTTP/1.1 without TLS
    int publish_port;
    int publishers;
    int pipeline;              // requests in flight on each publishing connection
    int batch;                 // events in a request: 1 is a JSON object, more is NDJSON
    int size;                  // bytes of an event's data
    int window;                // published, not yet received by the slowest connection
    double rate;               // events a second, 0: as fast as the window allows
    double idle;               // seconds in which readers are open and nothing happens
    double warmup, seconds;
    long count;                // publish so many events, however long it takes
    long expect;               // end when each connection has received so many
    const char *redis;         // publish to Redis: the key of its stream
    pid_t pid;                 // the server, for its processor time
    bool critical;
    bool bare;                 // POST the data alone, for servers without an envelope
    int stalled;               // further connections that ask for the stream and read nothing of the answer
    const char *stalled_read;  // what they ask for
    bool ready_by_head;        // servers that send no first frame of their own
};

enum { STREAM_DIGITS = 6, STREAM_FIRST = 100000 };

struct options options_read(int argc, char **argv);

// A path with the stream's number where {} stands; where that is, or NULL.
char *options_path(char *at, size_t size, const char *path, int stream);
