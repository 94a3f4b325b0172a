# P2: one stream, 1,000 connections, as fast as the slowest reader keeps up with, in publishes of 1, 10, 64 and 100
# events. Sourced by bench/run.

p2_loads="1 10 64 100"

build_p2() { build_p1; }

run_p2() { run_side_by_side p2 "$p2_loads" "ours nchan peer limit"; }

# Requests enough in flight that it is the readers, not the publisher's round trips, that set the pace. nchan takes an
# event a publish, and sends each alone: a window of 16 is its least latency at its most. In publishes of 64 with two
# under way, each write takes 64 frames.
p2_load() {
    local ahead=$window
    case $2.$1 in
        nchan.1) ahead=16 ;;
        nchan.* | peer.64) return ;;
        *.64) ahead=128 ;;
    esac
    echo "--connections $CONNECTIONS --batch $1 --window $ahead" \
        "--pipeline $((ahead / $1 < 256 ? ahead / $1 : 256)) --read {S}/events --publish {S}/events"
}

# The most that any of our loads made of a processor second.
p2_best() { for kind in $p2_loads; do of p2 ours "$kind" deliveries_per_cpu_s; done | sort -g | tail -1; }

report_p2() {
    local lost=0 kind per_core=deliveries_per_cpu_s nchan
    for kind in $p2_loads; do
        lost=$(calc "$lost + $(total "$(runs p2 ours "$kind")" missing) + $(total "$(runs p2 ours "$kind")" lost)" %.0f)
    done
    echo "## P2: one stream, $CONNECTIONS connections, $SIZE-byte data, as fast as readers keep up with"
    describe_run
    # shellcheck disable=SC2086
    delivery_table p2 $p2_loads
    nchan=$(of p2 nchan 1 $per_core)
    targets_head
    target P2 "delivered a processor second, to nchan's most" \
        "$([ "$nchan" = – ] && echo – || ratio "$(p2_best)" "$nchan")" least 25
    target P2 "p99 at 64 frames a write" "$(calc "$(of p2 ours 64 p99_ms)" %.1f)" most 25 ms
    target P2 "delivered a processor second at 64 frames a write, to the C limit" \
        "$(to p2 64 $per_core ours limit)" least 0.6
    target P2 "lost" "$lost" most 0
    echo
    echo "To the C limit, in publishes of 1, 10 and 100: $(to p2 1 $per_core ours limit)," \
        "$(to p2 10 $per_core ours limit), $(to p2 100 $per_core ours limit); to ServerSentEvents + Channel:" \
        "$(to p2 1 $per_core ours peer), $(to p2 10 $per_core ours peer), $(to p2 100 $per_core ours peer)."
    generator_note p2
}
