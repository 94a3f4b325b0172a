# Acknowledging: reading critical events that lie ready, by the .NET client, anonymously and as subscribers that
# acknowledge each event. Sourced by bench/run.

acks_readers="1 50"
acks_events=50000     # of one reader
acks_events_each=5000 # each of many
acks_kinds="anonymous acks-1000 acks-10000"

build_acks() {
    build_server
    build_project bench/Acks/Acks.csproj
}

# measure_acks PORT READERS TAG
measure_acks() {
    local readers=$2 events=$acks_events kind
    [ "$readers" = 1 ] || events=$acks_events_each
    say "acks: $readers readers ($3)"
    env -C "$scratch/cwd" DOTNET_gcServer=0 taskset -c $load_core \
        dotnet "$(program Acks)" "http://127.0.0.1:$1" "acks.$3.$readers" "$events" "$readers" "$server" \
        >"$scratch/acks.out"
    for kind in $acks_kinds; do
        grep "\"name\":\"$kind\"" "$scratch/acks.out" >>"$scratch/runs.acks.$kind.$readers"
    done
}

run_acks() {
    local port pid round readers
    mkdir "$scratch/acks.data"
    port=$(free_port)
    start_server "$port" dotnet "$SERVER" --urls "http://127.0.0.1:$port" --data "$scratch/acks.data"
    pid=$server
    measure_acks "$port" 1 warm
    rm -f "$scratch"/runs.acks.*
    for round in $(seq "$ROUNDS"); do
        for readers in $acks_readers; do measure_acks "$port" "$readers" "round$round"; done
    done
    stop_server "$pid"
}

acks_rate() { median "$scratch/runs.acks.$1.$2" events_per_s; }

acks_row() {
    local kind=$1 readers line="| $2"
    for readers in $acks_readers; do
        line+=" | $(thousands "$(acks_rate "$kind" "$readers")")"
        line+=" | $(calc "$(median "$scratch/runs.acks.$kind.$readers" client_s_per_m)")"
        line+=" / $(calc "$(median "$scratch/runs.acks.$kind.$readers" server_s_per_m)")"
        line+=" | **$(ratio "$(acks_rate "$kind" "$readers")" "$(acks_rate anonymous "$readers")")**"
    done
    echo "$line |"
}

report_acks() {
    echo "## Acknowledging: critical events a second that the .NET client reads, and acknowledges durably"
    echo
    describe_machine
    echo
    echo "$ROUNDS rounds, medians; $acks_events events for one reader, $acks_events_each for each of many; server on" \
        "core $server_core, all readers in one process on core $load_core, each process after a pass of warm-up."
    echo
    echo "| | 1 reader: events/s | CPU s per million, client / server | to anonymous (target: 0.5)" \
        "| 50 readers: events/s | CPU s per million | to anonymous |"
    echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    acks_row anonymous "anonymous"
    acks_row acks-1000 "acknowledging, 1,000 in flight (the default)"
    acks_row acks-10000 "acknowledging, 10,000 in flight"
    echo
    echo "A reader's time ends when the server has stored its last acknowledgement; each has a name of its own."
}
