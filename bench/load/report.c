#include "report.h"

#include "digits.h"

#include <stdio.h>

struct snapshot snapshot_take(const struct options *o, const struct tally *tally, const struct published *published,
    uint64_t waited)
{
    return (struct snapshot){
        .at = now_ns(), .own_cpu = own_cpu_seconds() - (double)waited / 1e9,
        .server_cpu = o->pid ? process_cpu_seconds(o->pid) : -1,
        .events = tally->events, .reads = tally->reads, .bytes = tally->bytes,
        .published = published->next - N_FIRST, .answered = published->answered,
    };
}

bool result_is_clean(const struct result *r)
{
    const struct tally *t = r->tally;
    return !(r->missing || t->lost || t->repeated || t->gaps || t->problems || t->ends || t->refused
        || r->published->refused);
}

static double ratio(double a, double b) { return b > 0 ? a / b : 0; }

static void print_rates(const struct result *r)
{
    const struct snapshot *a = &r->from, *b = &r->to;
    double seconds = (double)(b->at - a->at) / 1e9;
    double events = (double)(b->events - a->events), answered = (double)(b->answered - a->answered);
    printf("\"measured_s\":%.3f,\"published_per_s\":%.1f,\"answered_per_s\":%.1f,\"deliveries_per_s\":%.1f,",
        seconds, (double)(b->published - a->published) / seconds, answered / seconds, events / seconds);
    printf("\"frames_per_read\":%.2f,\"bytes_per_frame\":%.1f,\"own_cpu\":%.3f,",
        ratio(events, (double)(b->reads - a->reads)), ratio((double)(b->bytes - a->bytes), events),
        (b->own_cpu - a->own_cpu) / seconds);
    if (a->server_cpu < 0 || b->server_cpu < 0)
        return;
    double cpu = b->server_cpu - a->server_cpu;
    printf("\"server_cpu\":%.3f,\"deliveries_per_cpu_s\":%.1f,\"cpu_s_per_million\":%.4f,\"answered_per_cpu_s\":%.1f,",
        cpu / seconds, ratio(events, cpu), ratio(cpu * 1e6, events), ratio(answered, cpu));
}

void result_print(const struct options *o, const struct result *r)
{
    const struct tally *t = r->tally;
    printf("{\"connections\":%d,\"publishers\":%d,\"pipeline\":%d,\"batch\":%d,\"size\":%d,",
        o->connections, o->publishers, o->pipeline, o->batch, o->size);
    printf("\"window\":%d,\"rate\":%.1f,\"stalled\":%d,", o->window, o->rate, r->stalled);
    print_rates(r);
    printf("\"memory_before_kb\":%ld,\"memory_open_kb\":%ld,\"memory_after_kb\":%ld,\"expected_s\":%.3f,",
        r->memory_before, r->memory_open, r->memory_after, r->expected_s);
    printf("\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"answer_p50_ms\":%.3f,\"answer_p99_ms\":%.3f,",
        latency_ms(&t->latency, 0.5), latency_ms(&t->latency, 0.99),
        latency_ms(&r->published->latency, 0.5), latency_ms(&r->published->latency, 0.99));
    printf("\"published\":%lu,\"durable\":%lu,\"delivered\":%lu,\"missing\":%lu,\"lost\":%lu,\"repeated\":%lu,",
        r->published->next - N_FIRST, r->published->durable, t->events, r->missing, t->lost, t->repeated);
    printf("\"gaps\":%lu,\"problems\":%lu,\"ends\":%lu,\"refused\":%lu,\"clean\":%s}\n",
        t->gaps, t->problems, t->ends, t->refused + r->published->refused, result_is_clean(r) ? "true" : "false");
}
