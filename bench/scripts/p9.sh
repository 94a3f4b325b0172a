# P9: growth. Processor time of a delivery from 1,000 to 19,000 connections, of a publish from 1 to 100,000 streams; a
# restart with a million pending critical events; memory of idle streams. With plots of throughput, latency and memory
# against connections. Sourced by bench/run.

: "${GROWTH:=100 1000 5000 19000}"       # connections; a process here may hold 20,000 descriptors
: "${GROWTH_DELIVERIES:=50000}"             # a second, the same for each number of connections
: "${STREAM_COUNTS:=1 1000 100000}"
: "${PENDING:=1000000}"
pending_streams=100
envelope_bytes=182                          # of an event's frame, beside its data

build_p9() { build_p1; }

run_p9() {
    ROUNDS=$(rounds 1) warm_loads="paced.1000 fast.1000" run_side_by_side p9 "$(p9_loads)" "ours nchan peer limit"
    grow_streams
    restart_with_pending
}

p9_loads() {
    local count
    for count in $GROWTH; do echo "paced.$count fast.$count"; done
}

p9_load() {
    local kind=${1%.*} count=${1#*.} ahead=$window
    # A reader's socket takes some hundred kilobytes: with very many of them, less need be ahead.
    [ "$count" -le 2000 ] || ahead=$((window / 4))
    [ "$2" != nchan ] || ahead=16
    echo "--connections $count --read {S}/events --publish {S}/events"
    case $kind.$2 in
        paced.*) echo "--idle 1 --rate $(calc "$GROWTH_DELIVERIES / $count" %.3f)" ;;
        fast.nchan) echo "--window $ahead --pipeline $ahead" ;;
        fast.*) echo "--batch 10 --window $ahead --pipeline $((ahead / 10))" ;;
    esac
}

# Publishing to ever more streams of one server, and what it has grown by when all are there.
grow_streams() {
    local count most=${STREAM_COUNTS##* } round
    start ours --Limits:Streams $((most * 2))
    local way=(--publishers 16 --pipeline 8 --publish)
    WARMUP=$FIRST_WARMUP MEASURE=1 load_on ours "${way[@]}" /api/streams/grow/events >/dev/null
    for count in $STREAM_COUNTS; do
        say "p9: publishing to $count streams"
        # Each is opened first, by an event of its own.
        load_on ours --streams "$count" --count "$count" "${way[@]}" "/api/streams/grow.$count.{}/events" \
            >>"$scratch/runs.p9.opened.$count"
        for round in $(seq "$ROUNDS"); do
            load_on ours --streams "$count" "${way[@]}" "/api/streams/grow.$count.{}/events" \
                >>"$(runs p9 publish "$count")"
        done
    done
    stop ours
}

# A subscriber a stream, which is owed all of it.
register_subscribers() {
    local stream requests=()
    for stream in $(seq 100000 $((100000 + pending_streams - 1))); do
        requests+=(-o /dev/null "http://127.0.0.1:${port[ours]}/api/streams/pending.$stream/subscribers/bench")
    done
    curl -sf -X PUT -H 'Content-Type: application/json' -d "{\"maxPending\":$PENDING,\"maxInFlight\":100000}" \
        "${requests[@]}"
}

restart_with_pending() {
    local began ready settings=(--Streams:Backlog "$PENDING")
    start ours "${settings[@]}"
    say "p9: a restart with $PENDING pending critical events"
    register_subscribers
    load_on ours --critical --batch $((PENDING / pending_streams / 10)) --publishers 8 --streams $pending_streams \
        --count "$PENDING" --publish "/api/streams/pending.{}/events" >"$(runs p9 pending written)"
    { kill -9 "${masters[ours]}" && wait "${masters[ours]}"; } 2>/dev/null || true
    began=$(date +%s%N)
    start ours "${settings[@]}"
    until curl -sf -o /dev/null "http://127.0.0.1:${port[ours]}/readyz"; do sleep 0.02; done
    ready=$(($(date +%s%N) - began))
    load_on ours --read "/api/streams/pending.{}/events?subscriber=bench" --connections $pending_streams \
        --streams $pending_streams --expect $((PENDING / pending_streams)) >"$(runs p9 pending read)"
    echo "{\"ready_s\":$(calc "$ready / 1e9"),\"read_s\":$(calc "($(date +%s%N) - $began) / 1e9")}" \
        >"$(runs p9 pending restart)"
    stop ours
}

p9_growth_row() {
    local name=$1 field=$2 prefix=$3 scale=${4:-} line count
    line="| $(title "$1")"
    for count in $GROWTH; do line+=" | $(calc_or_dash "$(of p9 "$name" "$prefix.$count" "$field")" "$scale")"; done
    echo "$line |"
}

calc_or_dash() { if [ "$1" = – ]; then echo –; else calc "$1$2" "${3:-%.3g}"; fi; }

p9_growth_table() {
    local title=$1 name
    shift
    echo
    echo "| $title | $(echo "$GROWTH" | sed 's/ / | /g') |"
    echo "| --- |$(for _ in $GROWTH; do printf ' ---: |'; done)"
    for name in ours nchan peer limit; do
        [ ! -f "$(runs p9 $name "paced.${GROWTH%% *}")" ] || p9_growth_row $name "$@"
    done
}

report_p9() {
    echo "## P9: growth"
    ROUNDS="one for connections, $ROUNDS for streams;" describe_run
    p9_growth_table "CPU µs a delivery, $GROWTH_DELIVERIES deliveries/s; connections:" cpu_s_per_million paced
    p9_growth_table "p99 ms, the same" p99_ms paced
    p9_growth_table "deliveries per CPU second, as fast as it goes, million" deliveries_per_cpu_s fast /1e6
    echo
    echo "| publishing to streams | $(echo "$STREAM_COUNTS" | sed 's/ / | /g') |"
    echo "| --- |$(for _ in $STREAM_COUNTS; do printf ' ---: |'; done)"
    echo "| publishes a processor second |$(for count in $STREAM_COUNTS; do
        printf ' %s |' "$(thousands "$(of p9 publish "$count" answered_per_cpu_s)")"; done)"
    echo "| memory of an idle stream, kB, less its one event |$(for count in $STREAM_COUNTS; do
        printf ' %s |' "$(stream_kb "$count")"; done)"
    p9_targets
    echo
    echo "![deliveries a processor second](plots/throughput.svg) ![latency](plots/latency.svg)" \
        "![memory](plots/memory.svg)"
    generator_note p9
    p9_plots
}

# A few streams are lost in what else grows.
stream_kb() {
    if [ "$1" -lt 1000 ]; then echo –; return; fi
    calc "($(of p9 opened "$1" memory_after_kb) - $(of p9 opened "$1" memory_before_kb)) / $1 \
        - ($SIZE + $envelope_bytes) / 1024" %.1f
}

p9_targets() {
    local few=1000 many=${GROWTH##* } most=${STREAM_COUNTS##* } each=cpu_s_per_million
    targets_head
    target P9 "processor time of a delivery with $many connections, to 1,000" \
        "$(to p9 "paced.$many" $each ours ours "paced.$few")" most 1.2
    target P9 "… as fast as it goes" \
        "$(to p9 "fast.$many" $each ours ours "fast.$few")" most 1.2
    target P9 "processor time of a publish with $most streams, to one" \
        "$(ratio "$(of p9 publish 1 answered_per_cpu_s)" "$(of p9 publish "$most" answered_per_cpu_s)")" most 1.2
    target P9 "ready again with $PENDING pending critical events" "$(of p9 pending restart ready_s)" most 10 s
    target P9 "… and all of them delivered again" "$(of p9 pending restart read_s)" most 10 s
    target P9 "memory of an idle stream, less its one event, with $most of them" "$(stream_kb "$most")" most 3 kB
}

# SERIES<tab>X<tab>Y for the plots.
p9_series() {
    local field=$1 kind=$2 name count
    for name in ours nchan peer limit; do for count in $GROWTH; do
        [ ! -f "$(runs p9 $name "$kind.$count")" ] ||
            printf '%s\t%s\t%s\n' "$(title $name)" "$count" "$(of p9 $name "$kind.$count" "$field")"
    done; done
}

p9_memory_series() {
    local name count
    for name in ours nchan peer limit; do for count in $GROWTH; do
        [ -f "$(runs p9 $name "paced.$count")" ] || continue
        printf '%s\t%s\t%s\n' "$(title $name)" "$count" \
            "$(calc "$(of p9 $name "paced.$count" memory_open_kb) / 1024" %.1f)"
    done; done
}

p9_plots() {
    mkdir -p "$results/plots"
    p9_series deliveries_per_cpu_s fast | plot "Deliveries a processor second, as fast as it goes" "connections" \
        >"$results/plots/throughput.svg"
    p9_series p99_ms paced | plot "p99 in ms at $GROWTH_DELIVERIES deliveries/s" "connections" \
        >"$results/plots/latency.svg"
    p9_memory_series | plot "Resident memory in MB, connections idle" "connections" >"$results/plots/memory.svg"
}
