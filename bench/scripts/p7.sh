# Durable publishing: publishers that each wait until their one event is on the disk. Sourced by bench/run.

publisher_counts="1 16 256"
event_bytes=384    # an event of SIZE 200 with its envelope

build_p7() {
    build_load
    build_server
    build_project bench/Peer/Peer.csproj
    build_project bench/Durable/Durable.csproj
}

# over_network NAME PUBLISHERS TAG: with HTTP, or Redis' own protocol.
over_network() {
    local way=(--publish "/api/streams/durable.$3.$2/events" --critical)
    if [ "$1" = redis ]; then way=(--redis "durable.$3.$2"); fi
    say "p7: $1, $2 publishers ($3)"
    load --port "${port[$1]}" --pid "${pid[$1]}" --publishers "$2" "${way[@]}" >>"$scratch/runs.p7.$1.$2" ||
        [ $? -eq 1 ]
}

# without_http NAME PUBLISHERS: in a process of its own, in an empty folder.
without_http() {
    local name=$1 publishers=$2 folder=$scratch/durable.$1
    mkdir "$folder"
    say "p7: $name, $publishers publishers"
    case $name in
        disk) taskset -c $server_core "$out/load/disk" "$publishers" $event_bytes "$MEASURE" "$folder/file" ;;
        # shellcheck disable=SC2086
        *) env -C "$scratch/cwd" DOTNET_gcServer=0 $SERVER_ENV taskset -c $server_core \
            dotnet "$(program Durable)" "$name" "$publishers" "$MEASURE" "$folder" ;;
    esac >>"$scratch/runs.p7.$name.$publishers" 2>"$folder.log" || { cat "$folder.log" >&2; exit 1; }
    rm -rf "$folder"
}

run_p7() {
    local names name publishers round rounds
    rounds=$(rounds 2)
    names=$(here_of ours peer redis)
    mkdir "$scratch/p7.peer"
    for name in $names; do
        case $name in peer) start peer --data "$scratch/p7.peer" ;; *) start "$name" ;; esac
    done
    for publishers in 16 256; do for name in ours peer; do
        WARMUP=$FIRST_WARMUP MEASURE=1 over_network $name "$publishers" warm
    done; done
    rm -f "$scratch"/runs.p7.*
    for round in $(seq "$rounds"); do
        for publishers in $publisher_counts; do
            for name in $names; do over_network "$name" "$publishers" "round$round"; done
            without_http engine "$publishers"
            without_http transaction "$publishers"
            without_http disk "$publishers"
        done
    done
    # shellcheck disable=SC2086
    stop $names
}

rate() { median "$scratch/runs.p7.$1.$2" answered_per_s; }

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

report_p7() {
    local publishers refused=0 unsaid=0
    for publishers in $publisher_counts; do
        refused=$(calc "$refused + $(total "$scratch/runs.p7.ours.$publishers" refused)" %.0f)
        unsaid=$(calc "$unsaid + $(total "$scratch/runs.p7.ours.$publishers" published) - \
            $(total "$scratch/runs.p7.ours.$publishers" durable)" %.0f)
    done
    echo "## P7: durable publishing, events a second that are on the disk before their publisher is answered"
    ROUNDS=$(rounds 2) describe_run
    echo
    echo "| publishers, one event each at a time | 1 | 16 | 256 |"
    echo "| --- | ---: | ---: | ---: |"
    durable_row ours "OrleansEvents over HTTP"
    durable_row peer "ASP.NET Core over HTTP, one SQLite transaction per event"
    if is_here redis; then durable_row redis "Redis Streams: XADD, appendfsync always, its own protocol"; fi
    durable_row engine "OrleansEvents' engine without HTTP (one row per run of events)"
    durable_row transaction "one SQLite transaction per event, without HTTP"
    durable_row disk "C: write and fdatasync of batches of as many events as publishers"
    echo
    echo "| ratio | 1 | 16 | 256 |"
    echo "| --- | ---: | ---: | ---: |"
    ratio_row "over HTTP, to one transaction per event over HTTP" ours rate peer
    ratio_row "over HTTP, to one transaction per event without HTTP" ours best_transaction
    if is_here redis; then ratio_row "over HTTP, to Redis" ours rate redis; fi
    ratio_row "engine, to one transaction per event" engine best_transaction
    ratio_row "engine, to the disk" engine rate disk
    targets_head
    target P7 "1 publisher at a time, engine to the disk" "$(ratio "$(rate engine 1)" "$(rate disk 1)")" least 0.6
    for publishers in 16 256; do
        target P7 "$publishers publishers, engine to the disk" \
            "$(ratio "$(rate engine "$publishers")" "$(rate disk "$publishers")")" least 0.35
    done
    target P7 "256 publishers, engine to one transaction per event" \
        "$(ratio "$(rate engine 256)" "$(best_transaction)")" least 40
    echo
    echo "The transaction per event without HTTP is taken at the best of its three. With one publisher, C is a write" \
        "and an fdatasync per event. Over HTTP, $refused publishes were refused and" \
        "$unsaid answered without \`durable\`."
}
