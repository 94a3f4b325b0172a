# What subscribers cost: memory, a restart, an idle server, publishing, and a storm of retries. Sourced by bench/run.

subscriber_layouts="1 1000"
subscriber_counts="0 1 100 10000"
storm_seconds=30

build_subscribers() {
    build_server
    build_project bench/Subscribers/Subscribers.csproj
}

# subscribers_work NAME ARGUMENT...: its JSON line goes to a file of that name.
subscribers_work() {
    local name=$1
    shift
    say "subscribers: $*"
    env -C "$scratch/cwd" DOTNET_gcServer=0 dotnet "$(program Subscribers)" "$@" >"$scratch/work.out" \
        2>"$scratch/work.log" || { cat "$scratch/work.log" >&2; exit 1; }
    grep '^{' "$scratch/work.out" >>"$scratch/runs.subscribers.$name"
}

run_subscribers() {
    local layout count port
    for layout in $subscriber_layouts; do
        mkdir "$scratch/subscribers.$layout" "$scratch/webhooks.$layout"
        subscribers_work "memory.$layout" memory "$layout" "$scratch/subscribers.$layout"
        subscribers_work "restart.$layout" restart "http://127.0.0.1:$(free_port)" "$SERVER" "$layout" \
            "$scratch/subscribers.$layout"
        subscribers_work "webhooks.$layout" webhooks "$layout" "$scratch/webhooks.$layout"
        rm -rf "$scratch/subscribers.$layout" "$scratch/webhooks.$layout"
    done
    for count in $subscriber_counts; do
        mkdir "$scratch/publishing.$count"
        subscribers_work "publishing.$count" publishing "$count" "$scratch/publishing.$count"
        rm -rf "$scratch/publishing.$count"
    done
    mkdir "$scratch/storm"
    port=$(free_port)
    # On both cores, as the one that sends and receives is.
    server_core=0,1 start_server "$port" dotnet "$SERVER" --urls "http://127.0.0.1:$port" --data "$scratch/storm"
    subscribers_work storm storm "http://127.0.0.1:$port" "$storm_seconds"
    stop_server "$server"
}

# found WORK FIELD
found() { median "$scratch/runs.subscribers.$1" "$2"; }

memory_row() {
    local layout line="| $1"
    for layout in $subscriber_layouts; do
        line+=" | $(found "memory.$layout" "$2_heap") / $(found "memory.$layout" "$2_rss")"
    done
    echo "$line |"
}

restart_row() {
    local layout line="| $1"
    for layout in $subscriber_layouts; do line+=" | $(calc "$(found "$2.$layout" "$3") * $4" "$5")"; done
    echo "$line |"
}

storm_row() {
    local share line="| $1 | $2"
    for share in p50 p90 p99 p999 max; do line+=" | $(found storm "$3_$share")"; done
    echo "$line | $(found storm "$3_count") | **$(ratio "$(found storm "$3_p99")" "$(found storm "$4_p99")")** |"
}

report_subscribers() {
    local count one
    echo "## Subscribers: 10,000 that are owed 100 events each, and 100,000 retries at once"
    echo
    describe_machine
    echo
    echo "| 10,000 subscribers, a million owed events | on one stream | on 1,000 |"
    echo "| --- | ---: | ---: |"
    memory_row "bytes an owed event that waits: live heap / resident (target: below 150)" waiting
    memory_row "… delivered, not acknowledged" in_flight
    memory_row "… after one delivery has failed" failed
    memory_row "bytes an event itself takes, shared by a stream's subscribers, a subscriber's entry" events
    memory_row "bytes a subscriber that is owed nothing takes" subscriber
    restart_row "seconds from the start of the process until it is ready" restart ready_s 1 %.1f
    restart_row "… until every subscriber was asked for what it is owed (target: 5)" restart served_s 1 %.1f
    restart_row "… of which processor time" restart served_cpu_s 1 %.1f
    restart_row "% of a core then, without a connection" restart idle_percent 1 %.2f
    restart_row "… with 1,000 connections and their heartbeats (target: 2)" restart connected_percent 1 %.2f
    restart_row "% of a core with 10,000 webhooks and nothing to push" webhooks webhooks_percent 1 %.2f
    restart_row "… before they were registered" webhooks bare_percent 1 %.2f
    echo
    echo "| subscribers of the stream, none connected | critical publishes/s, one at a time | p50 / p99 µs" \
        "| CPU µs each | of it paused by the collector | CPU, to none |"
    echo "| ---: | ---: | ---: | ---: | ---: | ---: |"
    for count in $subscriber_counts; do
        one="publishing.$count"
        echo "| $count | $(found "$one" publishes_per_s) | $(found "$one" p50_us) / $(found "$one" p99_us)" \
            "| $(found "$one" cpu_us) | $(found "$one" gc_pause_us)" \
            "| $(ratio "$(found "$one" cpu_us)" "$(found publishing.0 cpu_us)") |"
    done
    echo
    echo "| other streams' latency, ms | | p50 | p90 | p99 | p99.9 | max | events | p99 to quiet (target: 2) |"
    echo "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    storm_row "ordinary events" "quiet" ordinary_quiet ordinary_quiet
    storm_row "" "from the storm's begin until all is saved" ordinary_storm ordinary_quiet
    storm_row "" "only until all are redelivered" ordinary_burst ordinary_quiet
    storm_row "critical events" "quiet" critical_quiet critical_quiet
    storm_row "" "from the storm's begin until all is saved" critical_storm critical_quiet
    echo
    echo "Memory is taken in the server's process after a blocking collection, resident as the system counts it; the" \
        "restart follows a crash, on core 0. Idle processor time is the system's count for the process over 8 s (5 s" \
        "with webhooks). A storm: 100 connections with 1,000 events in flight each have sent them back with delays" \
        "that end in the same millisecond; $(found storm storms) storms took $(found storm burst_s) s each until" \
        "all were redelivered, with two quiet seconds before each. Server, readers and publishers share both cores; the storm's own readers, which stand for other machines, have the least priority."
}
