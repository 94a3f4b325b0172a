# Stalled: does a reader that reads nothing cost the others anything? Delivery to 19 of 20 connections, with and
# without the twentieth, which has asked for the stream and reads nothing of it. Sourced by bench/run.

stalled_loads="10 paced"
stalled_count=$((CONNECTIONS / 20))

build_p8() {
    build_load
    build_server
}

stalled_load() {
    case $1 in
        paced) echo --rate 100 ;;
        *) echo --batch "$1" --window "$window" --pipeline $((window / $1)) ;;
    esac
}

# measure_stalled PORT PID LOAD STALLED TAG. What lies in the stream beforehand, more than a socket takes, is read by
# those that stall: so they do from the beginning. The others begin behind it.
measure_stalled() {
    local port=$1 pid=$2 kind=$3 count=$4 path=/api/streams/$5.$3.$4
    curl -sf -o /dev/null -X PUT -H 'Content-Type: application/json' \
        -d '{"buffer":100000,"bufferBytes":67108864}' "http://127.0.0.1:$port$path"
    curl -sf -o /dev/null -X POST -H 'Content-Type: application/x-ndjson' \
        --data-binary "@$scratch/filler" "http://127.0.0.1:$port$path/events"
    say "p8: $count of $CONNECTIONS, $(load_label "$kind") a publish ($5)"
    # shellcheck disable=SC2046
    load --port "$port" --pid "$pid" --connections $((CONNECTIONS - stalled_count)) $(stalled_load "$kind") \
        --stalled "$count" --stalled-read "$path/events?after=0" --read "$path/events?after=\$" \
        --publish "$path/events" >>"$scratch/runs.p8.$kind.$count" || [ $? -eq 1 ]
    curl -sf -o /dev/null -X DELETE "http://127.0.0.1:$port$path" || true
}

run_p8() {
    local port pid kind count round
    for _ in $(seq 40); do
        printf '{"type":"filler","data":"'
        head -c 200000 /dev/zero | tr '\0' x
        printf '"}\n'
    done >"$scratch/filler"
    port=$(free_port)
    start_server "$port" dotnet "$SERVER" --urls "http://127.0.0.1:$port" --store memory --Sse:WriteTimeout 3600
    pid=$server
    for kind in $stalled_loads; do
        WARMUP=$FIRST_WARMUP MEASURE=1 measure_stalled "$port" "$pid" "$kind" 0 warm
    done
    rm -f "$scratch"/runs.p8.*
    for round in $(seq "$ROUNDS"); do
        for kind in $stalled_loads; do
            for count in 0 "$stalled_count"; do measure_stalled "$port" "$pid" "$kind" "$count" "round$round"; done
        done
    done
    stop_server "$pid"
}

stalled_row() {
    local kind=$1 file=$scratch/runs.p8.$1.$2
    echo "| $(load_label "$kind") | $(calc "$(median "$file" stalled)" %.0f)" \
        "| $(calc "$(median "$file" p50_ms)" %.1f) / $(calc "$(median "$file" p99_ms)" %.1f)" \
        "| $(thousands "$(median "$file" deliveries_per_s)")" \
        "| $(thousands "$(median "$file" deliveries_per_cpu_s)")" \
        "| $(calc "$(total "$file" missing) + $(total "$file" lost) + $(total "$file" gaps)" %.0f) |"
}

# stalled_ratio LOAD FIELD: with them to without.
stalled_ratio() {
    ratio "$(median "$scratch/runs.p8.$1.$stalled_count" "$2")" "$(median "$scratch/runs.p8.$1.0" "$2")"
}

report_p8() {
    local kind count
    echo "## P8: stalled readers, what $stalled_count that read nothing cost $((CONNECTIONS - stalled_count)) others"
    describe_run
    echo
    echo "| events a publish | stalled | the others' p50 / p99 ms | their deliveries/s | per CPU second | lost |"
    echo "| ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind in $stalled_loads; do
        for count in 0 "$stalled_count"; do stalled_row "$kind" "$count"; done
    done
    echo
    echo "| events a publish | p50 with, to without | p99 | deliveries/s |"
    echo "| ---: | ---: | ---: | ---: |"
    for kind in $stalled_loads; do
        echo "| $(load_label "$kind") | $(stalled_ratio "$kind" p50_ms) | **$(stalled_ratio "$kind" p99_ms)**" \
            "| $(stalled_ratio "$kind" deliveries_per_s) |"
    done
    targets_head
    target P8 "p50 of the others at 100 events/s, to without" "$(stalled_ratio paced p50_ms)" most 1.1
    target P8 "p99 of the others at 100 events/s, to without" "$(stalled_ratio paced p99_ms)" most 1.2
    target P8 "p99 of the others at full speed, to without" "$(stalled_ratio 10 p99_ms)" most 1.2
    echo
    echo "The second column is how many were still connected at the end with bytes waiting for them. Every frame of" \
        "the others is checked for its number."
}
