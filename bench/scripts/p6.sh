# P6: 1,000 streams with two readers each, 10,000 publishes a second over 16 connections. Sourced by bench/run.

: "${STREAMS:=1000}" "${PUBLISHES:=10000}"

build_p6() { build_p1; }

run_p6() { run_side_by_side p6 paced "ours nchan peer"; }

p6_load() {
    echo "--streams $STREAMS --connections $((STREAMS * 2)) --publishers 16 --pipeline 8 --rate $PUBLISHES" \
        "--read {S}.{}/events --publish {S}.{}/events"
}

report_p6() {
    echo "## P6: $STREAMS streams with 2 readers each, $PUBLISHES publishes/s over 16 connections"
    describe_run
    delivery_table p6 paced
    targets_head
    target P6 "processor time of a delivery, publishing included, to nchan" \
        "$(to p6 paced cpu_s_per_million ours nchan)" most 0.9
    generator_note p6
}
