# The cluster: real nodes over a PostgreSQL that is started for it, all processes on both cores. Sourced by bench/run.

cluster_suites="cluster-kills cluster-handover cluster-tap cluster-publish cluster-durable cluster-grains \
cluster-delivery"
: "${KILLS:=20}" "${STOPS:=6}" "${GRAINS:=100000}"

# Whether the cluster can be built here; said once.
has_cluster() {
    [ -z "${cluster_can:-}" ] || return "$cluster_can"
    cluster_can=0
    dotnet restore "$root/bench/Cluster/Cluster.csproj" --nologo -v q >/dev/null 2>&1 || cluster_can=1
    [ "$cluster_can" = 0 ] || say "the cluster is not measured: the Orleans packages cannot be restored here"
    return "$cluster_can"
}

# Nodes that come and go are the program as it is deployed; NODE names another.
publish_node() {
    [ -z "${NODE:-}" ] || return 0
    export NODE=$out/node/OrleansEvents.Silo.dll
    [ "$BUILD" = yes ] || return 0
    say "publishing Silo"
    dotnet publish "$root/Silo/Silo.csproj" -c Release -o "$out/node" -v q --nologo -maxcpucount:1 \
        >"$scratch/build.log" 2>&1 && return
    cat "$scratch/build.log" >&2
    exit 1
}

build_cluster() {
    if [ -n "${cluster_postgres:-}" ]; then
        postgres=$cluster_postgres
        return
    fi
    build_project bench/Cluster/Cluster.csproj
    build_project bench/Durable/Durable.csproj
    publish_node
    build_server
    build_load
    scratch_postgres=$(mktemp -d)
    load_core=0,1 start_postgres
    cluster_postgres=$postgres
}

# cluster NAME MODE ARGUMENT...: its JSON lines go to a file of that name; streams in a schema of their own.
cluster() {
    local name=$1 mode=$2
    shift 2
    say "cluster: $mode $* ($name)"
    env -C "$scratch/cwd" DOTNET_gcServer=0 $SERVER_ENV dotnet "$(program Cluster)" "$mode" \
        "$postgres;Search Path=${schema:-cluster_${name//./_}}" "$@" >"$scratch/cluster.out" 2>"$scratch/cluster.log" ||
        { [ "$mode" = grains ] && grep -q '^{' "$scratch/cluster.out"; } || { cat "$scratch/cluster.log" >&2; exit 1; }
    grep '^{' "$scratch/cluster.out" | tee -a "$scratch/runs.cluster.$name" >&2
}

cluster_found() { median "$scratch/runs.cluster.$1" "$2"; }

cluster_most() { sed -nE "s/.*\"$2\":(-?[0-9.]+).*/\1/p" "$scratch/runs.cluster.$1" | sort -g | tail -1; }

cluster_head() {
    echo "## $1"
    echo
    describe_machine | head -1
    echo
}

# The processes share both cores; rounds and times are each part's own.
report_cluster-kills() {
    cluster kills kills "$KILLS"
    cluster_head "Cluster: a node is killed"
    echo "Three nodes; kill -9 of one, $KILLS times, while eight of its streams are published to through" \
        "another, critical events one after the other. Until each stream has taken a publish that began after the" \
        "kill:"
    echo
    echo "| | median of $KILLS kills (target: 2 s) | worst (target: 4 s) |"
    echo "| --- | ---: | ---: |"
    echo "| the kill's median stream | $(cluster_found kills median_ms) ms | $(cluster_most kills median_ms) ms |"
    echo "| the kill's last stream | **$(cluster_found kills worst_ms) ms** | **$(cluster_most kills worst_ms) ms** |"
    echo
    echo "Each kill's last stream, ms: $(sed -nE 's/.*"worst_ms":([0-9]+).*/\1/p' "$scratch/runs.cluster.kills" |
        tr '\n' ' ')"
}

report_cluster-handover() {
    cluster handover handover "$STOPS"
    cluster_head "Cluster: a node is stopped"
    echo "Three nodes; SIGTERM of one, $STOPS times, while 16 of its streams are published to, half of them" \
        "through the node that stops, critical events one after the other, and four are read on two nodes."
    echo
    echo "| | median stop | worst stop | target |"
    echo "| --- | ---: | ---: | ---: |"
    handover_row "longest time without an answer, the median stream, ms" median_ms ""
    handover_row "longest time without an answer, any stream, ms" worst_ms 200
    handover_row "the same in the second before, ms" quiet_ms ""
    handover_row "publishes that were not taken at once" retried ""
    handover_row "publishes that one retry elsewhere did not cure" failed 0
    handover_row "gaps that readers were told of" gaps 0
    handover_row "events that readers did not get" missing 0
}

handover_row() { echo "| $1 | $(cluster_found handover "$2") | $(cluster_most handover "$2") | $3 |"; }

report_cluster-tap() {
    cluster tap tap "$MEASURE"
    local load
    for load in saturated unthrottled paced; do
        grep "\"load\":\"$load\"" "$scratch/runs.cluster.tap" >"$scratch/runs.cluster.tap.$load"
    done
    cluster_head "Cluster: from a stream's owner to another node, through one tap"
    echo "One stream, events with $SIZE bytes of data, published at the owner by 8 publishers in batches of 256, seen by a" \
        "reader of the other node; its buffer holds 100,000 events."
    echo
    echo "| | events/s | p50 / p99 / p99.9 ms | CPU µs each, owner / other | left out | in so many losses |"
    echo "| --- | ---: | ---: | ---: | ---: | ---: |"
    tap_row saturated "publishers at most 50,000 events ahead of the reader (target: 2 M/s, nothing left out)"
    tap_row unthrottled "publishers that wait for nobody" \
        " of $(thousands "$(cluster_found tap.unthrottled published_per_s)") published"
    echo "| 100,000 events/s, what is due each millisecond (target: p99 5 ms)" \
        "| $(thousands "$(cluster_found tap.paced events_per_s)") | $(cluster_found tap.paced p50_ms) /" \
        "**$(cluster_found tap.paced p99_ms)** / $(cluster_found tap.paced p999_ms) |" \
        "| $(cluster_found tap.paced left_out) | $(cluster_found tap.paced losses) |"
}

# tap_row LOAD WHAT [OF]
tap_row() {
    local part=tap.$1
    echo "| $2 | **$(thousands "$(cluster_found "$part" events_per_s)")**${3:-}" \
        "| $(cluster_found "$part" p50_ms) / $(cluster_found "$part" p99_ms) / $(cluster_found "$part" p999_ms)" \
        "| $(cluster_found "$part" owner_cpu_us_each) / $(cluster_found "$part" other_cpu_us_each)" \
        "| $(cluster_found "$part" left_out) | $(cluster_found "$part" losses) |"
}

report_cluster-publish() {
    cluster publish publish "$MEASURE" "$ROUNDS"
    cluster_head "Cluster: publishing through a node that does not own the stream"
    local owner other
    owner=$(cluster_found publish owner_per_s) other=$(cluster_found publish other_per_s)
    echo "256 publishers, batches of 256, ordinary events of $SIZE bytes, one stream; $ROUNDS rounds in turns:" \
        "$(thousands "$owner") events/s through the owner, $(thousands "$other") through the other node," \
        "**$(calc "100 * $other / $owner" %.0f) %** (target: 60 %). CPU of both nodes for each event:" \
        "$(cluster_found publish cpu_us_each_by_owner) µs and $(cluster_found publish cpu_us_each_by_other) µs."
}

report_cluster-durable() {
    local streams round
    for round in $(seq "$ROUNDS"); do
        for streams in $postgres_stream_counts; do
            schema=cluster_durable_${round}_$streams cluster "durable.$streams" durable "$MEASURE" "$streams"
            server_core=0,1 into_postgres fenced "$streams"
        done
    done
    cluster_head "Cluster: critical events, each waited for, from another node than the owner's"
    echo "256 callers on the node that owns nothing, one event of $SIZE bytes each at a time; $ROUNDS rounds in turns."
    echo
    echo "| | one stream | 1,000 streams |"
    echo "| --- | ---: | ---: |"
    echo "| group commit at the owner | $(thousands "$(cluster_found durable.1 answered_per_s)")" \
        "| $(thousands "$(cluster_found durable.1000 answered_per_s)") |"
    echo "| a statement per event that checks the epoch, 20 connections, no cluster" \
        "| $(thousands "$(postgres_rate fenced.1.1)") | $(thousands "$(postgres_rate fenced.1000.1)") |"
    echo "| ratio (target: 20, 10)" \
        "| **$(ratio "$(cluster_found durable.1 answered_per_s)" "$(postgres_rate fenced.1.1)") ×**" \
        "| **$(ratio "$(cluster_found durable.1000 answered_per_s)" "$(postgres_rate fenced.1000.1)") ×** |"
}

report_cluster-grains() {
    cluster grains.alone grains alone "$GRAINS"
    schema=cluster_grains cluster grains.create grains create "$GRAINS"
    schema=cluster_grains cluster grains.open grains open "$GRAINS"
    cluster grains.empty grains empty "$GRAINS"
    cluster_head "Cluster: idle streams"
    echo "$GRAINS streams of one node, asked for by 256 callers; live heap after a blocking collection," \
        "without the events' bytes."
    echo
    echo "| | opened a second (target: 20,000) | CPU µs each, of the node | bytes each (target: 2,500) |"
    echo "| --- | ---: | ---: | ---: |"
    grains_row "made, with one event each; the log in memory" alone
    grains_row "the same over PostgreSQL" create
    grains_row "opened after a crash, over PostgreSQL" open
    grains_row "a grain that holds and does nothing: what of it is Orleans' own" empty
}

grains_row() {
    echo "| $1 | **$(cluster_found "grains.$2" opened_per_s)** | $(cluster_found "grains.$2" cpu_us_each)" \
        "| **$(cluster_found "grains.$2" bytes_each)** |"
}

# start_node PORT
start_node() {
    start_server "$1" dotnet "$(program Silo)" --urls "http://127.0.0.1:$1" --silo-port 0 --gateway-port 0 \
        --postgres "$postgres;Search Path=cluster_delivery"
    until curl -sf -o /dev/null "http://127.0.0.1:$1/readyz"; do sleep 0.1; done
}

report_cluster-delivery() {
    local embedded_port owner_port other_port embedded owner other kind round name
    mkdir "$scratch/embedded"
    embedded_port=$(free_port)
    start_server "$embedded_port" dotnet "$SERVER" --urls "http://127.0.0.1:$embedded_port" --data "$scratch/embedded"
    embedded=$server
    owner_port=$(free_port)
    start_node "$owner_port"
    owner=$server
    # Streams that are made while it is alone are its own.
    for round in warm $(seq "$ROUNDS"); do
        for kind in owner other; do
            curl -sf -o /dev/null -X PUT -H 'Content-Type: application/json' \
                -d '{"buffer":100000,"bufferBytes":67108864,"idleAfter":3600}' \
                "http://127.0.0.1:$owner_port/api/streams/cluster.$kind.$round"
        done
        curl -sf -o /dev/null -X PUT -H 'Content-Type: application/json' \
            -d '{"buffer":100000,"bufferBytes":67108864}' \
            "http://127.0.0.1:$embedded_port/api/streams/cluster.embedded.$round"
    done
    other_port=$(free_port)
    start_node "$other_port"
    other=$server
    for round in warm $(seq "$ROUNDS"); do
        for name in embedded owner other; do
            local port=${name}_port
            say "cluster: delivery by $name ($round)"
            WARMUP=$([ "$round" = warm ] && echo "$FIRST_WARMUP" || echo "$WARMUP") load --port "${!port}" \
                --pid "${!name}" --connections "$CONNECTIONS" --batch 10 --pipeline 40 --window "$window" \
                --read "/api/streams/cluster.$name.$round/events" --publish "/api/streams/cluster.$name.$round/events" \
                >"$scratch/delivery.out" || [ $? -eq 1 ]
            [ "$round" = warm ] || cat "$scratch/delivery.out" >>"$scratch/runs.cluster.delivery.$name"
        done
    done
    for name in embedded owner other; do stop_server "${!name}"; done
    report_cluster_delivery
}

report_cluster_delivery() {
    local name per_core=deliveries_per_cpu_s
    cluster_head "Cluster: delivery"
    echo "One stream, $CONNECTIONS connections, published in batches of 10 as fast as readers keep up with; $ROUNDS" \
        "rounds in turns; servers on core $server_core, generator on core $load_core."
    echo
    echo "| read from | deliveries per CPU second of that process | deliveries/s | p50 / p99 ms | lost" \
        "| to the embedded server (target: 1, 0.85) |"
    echo "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name in embedded owner other; do
        local file=$scratch/runs.cluster.delivery.$name
        echo "| $name | $(thousands "$(median "$file" $per_core)")" \
            "| $(thousands "$(median "$file" deliveries_per_s)")" \
            "| $(calc "$(median "$file" p50_ms)" %.1f) / $(calc "$(median "$file" p99_ms)" %.1f)" \
            "| $(calc "$(total "$file" missing) + $(total "$file" lost) + $(total "$file" gaps)" %.0f)" \
            "| **$(ratio "$(median "$file" $per_core)" "$(cluster_found delivery.embedded $per_core)")** |"
    done
}

# Each is measured while its report is written.
for suite in $cluster_suites; do eval "build_$suite() { build_cluster; }; run_$suite() { :; }"; done
