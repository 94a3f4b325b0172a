#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
    int port;
    const char *host_name;     // for the Host header
    const char *read;          // path of the SSE responses
    const char *publish;       // path to POST to; NULL: somebody else publishes
    const char *type;          // the events' type
    int connections;
    int publishers;
    int pipeline;              // requests in flight on each publishing connection
    int batch;                 // events in a request: 1 is a JSON object, more is NDJSON
    int size;                  // bytes of an event's data
    int window;                // published, not yet received by the slowest connection
    double rate;               // events a second, 0: as fast as the window allows
    double warmup, seconds;
    pid_t pid;                 // the server, for its processor time
    bool critical;
    bool bare;                 // POST the data alone, for servers without an envelope
    int stalled;               // further connections that ask for the stream and read nothing of the answer
    const char *stalled_read;  // what they ask for
    bool ready_by_head;        // servers that send no first frame of their own
};

struct options options_read(int argc, char **argv);
