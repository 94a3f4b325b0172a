#include "measure.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

double own_cpu_seconds(void) { return (double)read_clock(CLOCK_PROCESS_CPUTIME_ID) / 1e9; }

double process_cpu_seconds(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;

    // The name may hold spaces and parentheses: fields are counted from the last ')'.
    const char *after = strrchr(text, ')');
    unsigned long user, kernel;
    if (!after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        return -1;
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

void latency_add(struct latencies *all, uint64_t ns)
{
    uint64_t at = ns;
    if (ns >= STEPS) {
        int shift = 63 - __builtin_clzll(ns) - 5;
        at = (uint64_t)(shift + 1) * STEPS + (ns >> shift) - STEPS;
    }
    all->bucket[at]++;
    all->count++;
}

double latency_ms(const struct latencies *all, double quantile)
{
    uint64_t rank = (uint64_t)(quantile * (double)all->count), seen = 0;
    for (uint64_t at = 0; at < BUCKETS && all->count; at++) {
        seen += all->bucket[at];
        if (seen > rank || seen == all->count)
            return at < STEPS ? (double)at / 1e6 : (double)((at % STEPS + STEPS) << (at / STEPS - 1)) / 1e6;
    }
    return 0;
}

long process_memory_kb(pid_t pid)
{
    char path[64];
    long pages = 0, resident = -1;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = -1;
    fclose(file);
    return resident < 0 ? -1 : resident * (sysconf(_SC_PAGESIZE) / 1024);
}
