// What the disk itself can do: one write and one fdatasync for every BATCH events, into a file that is already there.
#define _GNU_SOURCE
#include "measure.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_SIZE = 64 << 20 };

static void fail(const char *what)
{
    perror(what);
    exit(3);
}

static int open_filled(const char *path)
{
    char *zeros = calloc(1, FILE_SIZE);
    int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, zeros, FILE_SIZE) != FILE_SIZE || fsync(fd) < 0)
        fail(path);
    free(zeros);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "disk BATCH EVENT_BYTES SECONDS FILE\n");
        return 2;
    }
    size_t batch = strtoul(argv[1], NULL, 10), bytes = batch * strtoul(argv[2], NULL, 10);
    double seconds = atof(argv[3]);
    if (bytes == 0 || bytes > FILE_SIZE) {
        fprintf(stderr, "disk: BATCH x EVENT_BYTES must be 1 to %d\n", FILE_SIZE);
        return 2;
    }
    int fd = open_filled(argv[4]);
    char *events = malloc(bytes);
    memset(events, 'x', bytes);

    uint64_t from = now_ns(), until = from + (uint64_t)(seconds * 1e9), writes = 0;
    for (size_t at = 0; now_ns() < until; writes++, at += bytes) {
        if (at + bytes > FILE_SIZE)
            at = 0;
        if (pwrite(fd, events, bytes, (off_t)at) != (ssize_t)bytes || fdatasync(fd) < 0)
            fail("write");
    }
    double took = (double)(now_ns() - from) / 1e9;
    printf("{\"publishers\":%zu,\"answered_per_s\":%.1f,\"writes_per_s\":%.1f}\n",
        batch, (double)(writes * batch) / took, (double)writes / took);
    unlink(argv[4]);
    return 0;
}
