// Clocks, processor time and latencies.
#pragma once

#include <stdint.h>
#include <sys/types.h>

// Log-linear: 32 steps per power of two, so a percentile is within 3 %.
enum { STEPS = 32, BUCKETS = 64 * STEPS };

struct latencies {
    uint64_t count;
    uint64_t bucket[BUCKETS];
};

uint64_t now_ns(void);
double own_cpu_seconds(void);
long process_memory_kb(pid_t pid);         // resident, -1 when it cannot be read
double process_cpu_seconds(pid_t pid);    // user and system of all its threads, -1 when it cannot be read

void latency_add(struct latencies *all, uint64_t ns);
double latency_ms(const struct latencies *all, double quantile);
