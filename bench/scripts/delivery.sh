# Delivery: one stream, many connections; published as fast as the slowest reader keeps up with (1, 10, 100 events a
# publish), and at a steady 100 events a second. Sourced by bench/run.

loads="1 10 100 paced"
window=400    # events ahead of the slowest reader: more adds latency and nothing else, to any of the servers

build_delivery() {
    build_load
    build_server
    build_project bench/Peer/Peer.csproj
}

# Requests enough in flight that it is the readers, not the publisher's round trips, that set the pace.
load_options() {
    case $1 in
        paced) echo --batch 1 --rate 100 ;;
        *) echo --batch "$1" --pipeline $((window / $1 < 256 ? window / $1 : 256)) --window $window ;;
    esac
}

load_label() { [ "$1" = paced ] && echo "1, 100/s" || echo "$1"; }

# measure_delivery NAME PORT PID LOAD TAG: a stream of its own, so that a run begins with an empty buffer.
measure_delivery() {
    local name=$1 port=$2 pid=$3 kind=$4 tag=$5 path
    path=/api/streams/$tag.$kind
    if [ "$name" = ours ]; then
        curl -sf -o /dev/null -X PUT -H 'Content-Type: application/json' \
            -d '{"buffer":100000,"bufferBytes":67108864}' "http://127.0.0.1:$port$path"
    fi
    say "delivery: $name, $(load_label "$kind") a publish ($tag)"
    # Exit 1 says that something was lost: it is in the line, and in the table.
    # shellcheck disable=SC2046
    load --port "$port" --pid "$pid" --connections "$CONNECTIONS" $(load_options "$kind") \
        --read "$path/events" --publish "$path/events" >>"$scratch/runs.delivery.$name.$kind" || [ $? -eq 1 ]
    if [ "$name" = ours ]; then
        curl -sf -o /dev/null -X DELETE "http://127.0.0.1:$port$path" || true
    fi
}

run_delivery() {
    local ours_port peer_port limit_port ours_pid peer_pid limit_pid kind round
    ours_port=$(free_port)
    mkdir "$scratch/data"
    start_server "$ours_port" dotnet "$SERVER" --urls "http://127.0.0.1:$ours_port" --data "$scratch/data"
    ours_pid=$server
    peer_port=$(free_port)
    start_server "$peer_port" dotnet "$(program Peer)" --urls "http://127.0.0.1:$peer_port"
    peer_pid=$server
    limit_port=$(free_port)
    start_server "$limit_port" "$out/load/limit" "$limit_port"
    limit_pid=$server

    # The managed servers' first minute is their compiler's: it has one core with them, and they keep it busy.
    for kind in $loads; do
        WARMUP=$FIRST_WARMUP MEASURE=1 measure_delivery peer "$peer_port" "$peer_pid" "$kind" warm
        WARMUP=$FIRST_WARMUP MEASURE=1 measure_delivery ours "$ours_port" "$ours_pid" "$kind" warm
    done
    rm -f "$scratch"/runs.delivery.*
    for round in $(seq "$ROUNDS"); do
        for kind in $loads; do
            measure_delivery ours "$ours_port" "$ours_pid" "$kind" "round$round"
            measure_delivery peer "$peer_port" "$peer_pid" "$kind" "round$round"
            measure_delivery limit "$limit_port" "$limit_pid" "$kind" "round$round"
        done
    done
    stop_server "$ours_pid"
    stop_server "$peer_pid"
    stop_server "$limit_pid"
    report_delivery
}

delivery_row() {
    local name=$1 label=$2 kind=$3 file=$scratch/runs.delivery.$1.$3
    echo "| $(load_label "$kind") | $label | $(thousands "$(median "$file" deliveries_per_cpu_s)")" \
        "| $(thousands "$(median "$file" deliveries_per_s)") | $(median "$file" cpu_s_per_million)" \
        "| $(calc "$(median "$file" frames_per_read)" %.0f) | $(calc "$(median "$file" bytes_per_frame)" %.0f)" \
        "| $(calc "$(median "$file" p50_ms)" %.1f) / $(calc "$(median "$file" p99_ms)" %.1f)" \
        "| $(calc "100 * $(median "$file" server_cpu)" %.0f) % / $(calc "100 * $(median "$file" own_cpu)" %.0f) %" \
        "| $(calc "$(total "$file" missing) + $(total "$file" lost) + $(total "$file" gaps)" %.0f) |"
}

report_delivery() {
    local kind ours peer limit per_core=deliveries_per_cpu_s
    echo "## Delivery: one stream, $CONNECTIONS connections, $SIZE-byte data, as fast as readers keep up with"
    echo
    describe_machine
    echo
    echo "| events a publish | server | deliveries per CPU second | deliveries/s | CPU s per million | frames a read" \
        "| bytes a frame | p50 / p99 ms | CPU server / generator | lost |"
    echo "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind in $loads; do
        delivery_row ours OrleansEvents "$kind"
        delivery_row peer "ServerSentEvents + Channel" "$kind"
        delivery_row limit "C limit" "$kind"
    done
    echo
    echo "| events a publish | per core, to ServerSentEvents + Channel (target: 3) | to the C limit |"
    echo "| ---: | ---: | ---: |"
    for kind in $loads; do
        ours=$(median "$scratch/runs.delivery.ours.$kind" $per_core)
        peer=$(median "$scratch/runs.delivery.peer.$kind" $per_core)
        limit=$(median "$scratch/runs.delivery.limit.$kind" $per_core)
        echo "| $(load_label "$kind") | **$(ratio "$ours" "$peer") ×** | $(ratio "$ours" "$limit") |"
    done
    echo
    echo "Every frame of every connection is checked for its number. The generator was not the bottleneck where its" \
        "CPU is below 90 %; the limit's rows show what it can take."
}
