# P3: 10,000 connections on one stream at 10 events a second: latency. Sourced by bench/run.

: "${MANY_CONNECTIONS:=10000}"

build_p3() { build_p1; }

run_p3() { run_side_by_side p3 paced "ours nchan peer limit"; }

p3_load() { echo "--connections $MANY_CONNECTIONS --rate 10 --read {S}/events --publish {S}/events"; }

report_p3() {
    local share
    echo "## P3: one stream, $MANY_CONNECTIONS connections, 10 events/s"
    describe_run
    delivery_table p3 paced
    targets_head
    for share in p50 p99; do
        target P3 "$share, to the C limit" "$(to p3 paced ${share}_ms ours limit)" most 1.1
        target P3 "$share, to nchan" "$(to p3 paced ${share}_ms ours nchan)" most 0.5
    done
    generator_note p3
}
