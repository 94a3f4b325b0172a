# Durable publishing: publishers that each wait until their one event is on the disk. Sourced by bench/run.

publisher_counts="1 16 256"
event_bytes=384    # an event of SIZE 200 with its envelope

build_durable() {
    build_load
    build_server
    build_project bench/Peer/Peer.csproj
    build_project bench/Durable/Durable.csproj
}

# over_http NAME PORT PID PUBLISHERS TAG
over_http() {
    say "durable: $1, $4 publishers ($5)"
    load --port "$2" --pid "$3" --publishers "$4" --critical --publish "/api/streams/durable.$5.$4/events" \
        >>"$scratch/runs.durable.$1.$4" || [ $? -eq 1 ]
}

# without_http NAME PUBLISHERS: in a process of its own, in an empty folder.
without_http() {
    local name=$1 publishers=$2 folder=$scratch/durable.$1
    mkdir "$folder"
    say "durable: $name, $publishers publishers"
    case $name in
        disk) taskset -c $server_core "$out/load/disk" "$publishers" $event_bytes "$MEASURE" "$folder/file" ;;
        *) env -C "$scratch/cwd" DOTNET_gcServer=0 taskset -c $server_core \
            dotnet "$(program Durable)" "$name" "$publishers" "$MEASURE" "$folder" ;;
    esac >>"$scratch/runs.durable.$name.$publishers" 2>"$folder.log" || { cat "$folder.log" >&2; exit 1; }
    rm -rf "$folder"
}

run_durable() {
    local ours_port peer_port ours_pid peer_pid publishers round
    mkdir "$scratch/durable.ours" "$scratch/durable.peer"
    ours_port=$(free_port)
    start_server "$ours_port" dotnet "$SERVER" --urls "http://127.0.0.1:$ours_port" --data "$scratch/durable.ours"
    ours_pid=$server
    peer_port=$(free_port)
    start_server "$peer_port" \
        dotnet "$(program Peer)" --urls "http://127.0.0.1:$peer_port" --data "$scratch/durable.peer"
    peer_pid=$server

    for publishers in 16 256; do
        WARMUP=$FIRST_WARMUP MEASURE=1 over_http ours "$ours_port" "$ours_pid" "$publishers" warm
        WARMUP=$FIRST_WARMUP MEASURE=1 over_http peer "$peer_port" "$peer_pid" "$publishers" warm
    done
    rm -f "$scratch"/runs.durable.*
    for round in $(seq "$ROUNDS"); do
        for publishers in $publisher_counts; do
            over_http ours "$ours_port" "$ours_pid" "$publishers" "round$round"
            over_http peer "$peer_port" "$peer_pid" "$publishers" "round$round"
            without_http engine "$publishers"
            without_http transaction "$publishers"
            without_http disk "$publishers"
        done
    done
    stop_server "$ours_pid"
    stop_server "$peer_pid"
    report_durable
}

rate() { median "$scratch/runs.durable.$1.$2" answered_per_s; }

durable_row() {
    local name=$1 label=$2 publishers line="| $2"
    for publishers in $publisher_counts; do line+=" | $(thousands "$(rate "$name" "$publishers")")"; done
    echo "$line |"
}

ratio_row() {
    local label=$1 name=$2 publishers line="| $1"
    shift 2
    for publishers in $publisher_counts; do
        line+=" | **$(ratio "$(rate "$name" "$publishers")" "$("$@" "$publishers")") ×**"
    done
    echo "$line |"
}

# One connection to SQLite does not get faster with more publishers, only more crowded: it is taken at its best.
best_transaction() {
    local publishers
    for publishers in $publisher_counts; do rate transaction "$publishers"; done | sort -g | tail -1
}

report_durable() {
    local publishers refused=0 unsaid=0
    for publishers in $publisher_counts; do
        refused=$(calc "$refused + $(total "$scratch/runs.durable.ours.$publishers" refused)" %.0f)
        unsaid=$(calc "$unsaid + $(total "$scratch/runs.durable.ours.$publishers" published) - \
            $(total "$scratch/runs.durable.ours.$publishers" durable)" %.0f)
    done
    echo "## Durable publishing: events a second that are on the disk before their publisher is answered"
    echo
    describe_machine
    echo
    echo "| publishers, one event each at a time | 1 | 16 | 256 |"
    echo "| --- | ---: | ---: | ---: |"
    durable_row ours "OrleansEvents over HTTP"
    durable_row peer "ASP.NET Core over HTTP, one SQLite transaction per event"
    durable_row engine "OrleansEvents' engine without HTTP (one row per run of events)"
    durable_row transaction "one SQLite transaction per event, without HTTP"
    durable_row disk "C: write and fdatasync of batches of as many events as publishers"
    echo
    echo "| ratio | 1 | 16 | 256 |"
    echo "| --- | ---: | ---: | ---: |"
    ratio_row "over HTTP, to one transaction per event over HTTP" ours rate peer
    ratio_row "over HTTP, to one transaction per event without HTTP" ours best_transaction
    ratio_row "engine, to one transaction per event (target at 256: 20)" engine best_transaction
    ratio_row "engine, to the disk" engine rate disk
    echo
    echo "The transaction per event without HTTP is taken at the best of its three. With one publisher, C is a write" \
        "and an fdatasync per event. Over HTTP, $refused publishes were refused and" \
        "$unsaid answered without \`durable\`."
}
