# P1: one stream, 1,000 connections, 100 events a second: processor time of a delivery. Sourced by bench/run.

p1_options="--rate 100 --read {S}/events --publish {S}/events"

build_p1() {
    build_load
    build_server
    build_project bench/Peer/Peer.csproj
}

run_p1() { run_side_by_side p1 "paced" "ours nchan peer limit"; }

p1_load() { echo "--connections $CONNECTIONS $p1_options"; }

report_p1() {
    echo "## P1: one stream, $CONNECTIONS connections, $SIZE-byte data, 100 events/s"
    describe_run
    delivery_table p1 paced
    targets_head
    target P1 "processor time of a delivery, to nchan" "$(to p1 paced cpu_s_per_million ours nchan)" most 0.70
    target P1 "… to the C limit" "$(to p1 paced cpu_s_per_million ours limit)" most 1.15
    generator_note p1
}
