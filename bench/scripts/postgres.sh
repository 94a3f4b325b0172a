# Group commit in PostgreSQL beside a statement per event: 256 callers that each wait until their one event is on the
# disk. PostgreSQL is started for it, from the system's binaries, with fsync on. Sourced by bench/run.

postgres_callers=256
postgres_stream_counts="1 1000"

build_postgres() { build_project bench/Durable/Durable.csproj; }

postgres_binaries() {
    local initdb
    # Where Debian puts them, the newest; else one in the path.
    initdb=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1)
    [ -n "$initdb" ] || initdb=$(command -v initdb || true)
    [ -n "$initdb" ] || { say "there are no PostgreSQL binaries on this machine"; exit 1; }
    dirname "$initdb"
}

# Leaves its connection string in `postgres`. It refuses to run as root, and a folder in /tmp is anybody's.
start_postgres() {
    local binaries port folder=$scratch_postgres user=()
    binaries=$(postgres_binaries)
    port=$(free_port)
    if [ "$(id -u)" = 0 ]; then
        user=(setpriv --reuid nobody --regid nogroup --clear-groups)
        chown nobody "$folder"
    fi
    (cd "$folder" && "${user[@]}" "$binaries/initdb" -D "$folder/data" -U events -A trust -E UTF8 --locale=C \
        >"$folder/log" 2>&1) || { cat "$folder/log" >&2; exit 1; }
    env -C "$folder" taskset -c $load_core "${user[@]}" "$binaries/postgres" -D "$folder/data" \
        -c listen_addresses=127.0.0.1 -c port="$port" -c unix_socket_directories= >>"$folder/log" 2>&1 &
    started+=($!)
    until "$binaries/pg_isready" -q -h 127.0.0.1 -p "$port"; do sleep 0.1; done
    postgres="Host=127.0.0.1;Port=$port;Username=events;Database=postgres"
    postgres_version=$("$binaries/postgres" --version)
}

# into_postgres MODE STREAMS [EVENTS]: in a process of its own; ours in a schema of its own.
into_postgres() {
    local mode=$1 streams=$2 events=${3:-1} tag
    tag=$mode.$streams.$events
    say "postgres: $mode, $streams streams, $events events a call"
    env -C "$scratch/cwd" DOTNET_gcServer=0 taskset -c $server_core dotnet "$(program Durable)" "$mode" \
        "$postgres_callers" "$MEASURE" "$postgres;Search Path=bench_${round}_${streams}_$events" "$streams" "$events" \
        >>"$scratch/runs.postgres.$tag" 2>"$scratch/postgres.log" || { cat "$scratch/postgres.log" >&2; exit 1; }
}

run_postgres() {
    local streams round
    scratch_postgres=$(mktemp -d)
    start_postgres
    for round in $(seq "$ROUNDS"); do
        for streams in $postgres_stream_counts; do
            into_postgres insert "$streams"
            into_postgres fenced "$streams"
            into_postgres postgres "$streams"
        done
        into_postgres postgres 1 100
    done
    stop_all_of_postgres
}

stop_all_of_postgres() {
    stop_server "${started[-1]}"
    rm -rf "$scratch_postgres"
}

postgres_rate() { median "$scratch/runs.postgres.$1" answered_per_s; }

report_postgres() {
    local mode
    echo "## PostgreSQL: events a second that are on its disk before their publisher is answered"
    describe_run
    echo
    echo "$postgres_version, as installed, fsync on, on core $load_core; $postgres_callers callers, one event of" \
        "$SIZE bytes each at a time; the program on core $server_core."
    echo
    echo "| | one stream | 1,000 streams |"
    echo "| --- | ---: | ---: |"
    for mode in postgres fenced insert; do
        case $mode in
            postgres) printf '| OrleansEvents'"'"' engine, group commit, two writers ' ;;
            fenced) printf '| a statement per event that checks the epoch, 20 connections ' ;;
            insert) printf '| a plain INSERT per event, 20 connections ' ;;
        esac
        echo "| $(thousands "$(postgres_rate $mode.1.1)") | $(thousands "$(postgres_rate $mode.1000.1)") |"
    done
    echo "| group commit, to a statement per event that checks (target: 20, 10) |" \
        "**$(ratio "$(postgres_rate postgres.1.1)" "$(postgres_rate fenced.1.1)") ×** |" \
        "**$(ratio "$(postgres_rate postgres.1000.1)" "$(postgres_rate fenced.1000.1)") ×** |"
    echo "| group commit, to a plain INSERT per event |" \
        "**$(ratio "$(postgres_rate postgres.1.1)" "$(postgres_rate insert.1.1)") ×** |" \
        "**$(ratio "$(postgres_rate postgres.1000.1)" "$(postgres_rate insert.1000.1)") ×** |"
    echo
    echo "Published in batches of 100, one stream takes $(thousands "$(postgres_rate postgres.1.100)") events/s. The" \
        "callers go through the streams in turn, so that no two that wait have the same one."
}
