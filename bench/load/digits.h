// Numbers of a fixed width: every frame and request then has the same length, and is patched in place.
#pragma once

#include <stdint.h>
#include <string.h>

enum { N_DIGITS = 10, T_DIGITS = 16 };

// The counter of the first event: ten digits from the start.
#define N_FIRST UINT64_C(1000000000)

// Nanoseconds are written as T_SPAN + ns % T_SPAN: sixteen digits, the same again after eleven days.
#define T_SPAN UINT64_C(1000000000000000)

static inline void digits_put(char *at, uint64_t value, int width)
{
    while (width-- > 0) {
        at[width] = (char)('0' + value % 10);
        value /= 10;
    }
}

// Eight decimal digits at once: pairs, fours, then the eight are summed inside one register.
static inline uint64_t digits_eight(const char *at)
{
    uint64_t v;
    memcpy(&v, at, 8);
    v = (v & 0x0F0F0F0F0F0F0F0Full) * 2561 >> 8;
    v = (v & 0x00FF00FF00FF00FFull) * 6553601 >> 16;
    return (v & 0x0000FFFF0000FFFFull) * 42949672960001ull >> 32;
}

static inline uint64_t digits_n(const char *at)
{
    return digits_eight(at) * 100 + (uint64_t)(at[8] - '0') * 10 + (uint64_t)(at[9] - '0');
}

static inline uint64_t digits_t(const char *at)
{
    return digits_eight(at) * 100000000 + digits_eight(at + 8);
}

static inline uint64_t t_stamp(uint64_t ns) { return T_SPAN + ns % T_SPAN; }
static inline uint64_t t_since(uint64_t stamp, uint64_t ns) { return (ns % T_SPAN + 2 * T_SPAN - stamp) % T_SPAN; }
