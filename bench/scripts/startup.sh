# Start-up and footprint: what a server costs before anybody uses it. Sourced by bench/run.
#
# STARTS (10) starts of each; IDLE (20) seconds of watching each idle.

: "${STARTS:=10}" "${IDLE:=20}"
startup_kinds="published published-env built peer"

build_startup() {
    build_server
    build_project bench/Peer/Peer.csproj
    [ "$BUILD" = yes ] || return 0
    say "publishing Api"
    dotnet publish "$root/Api/Api.csproj" -c Release -o "$out/published" -v q --nologo -maxcpucount:1 \
        >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log" >&2; exit 1; }
}

startup_label() {
    case $1 in
        published) echo "OrleansEvents as published (ReadyToRun), SQLite" ;;
        published-env) echo "… with the environment of the unit file" ;;
        built) echo "… as built, without ReadyToRun" ;;
        peer) echo "ASP.NET Core with SQLite (\`Peer\`)" ;;
    esac
}

# startup_command KIND PORT DATA: in `command`.
startup_command() {
    local address=http://127.0.0.1:$2
    command=(env -C "$scratch/cwd")
    case $1 in
        published) command+=(dotnet "$out/published/OrleansEvents.Api.dll" --urls "$address" --data "$3") ;;
        published-env)
            command+=(DOTNET_ThreadPool_UnfairSemaphoreSpinLimit=0 DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS=1
                dotnet "$out/published/OrleansEvents.Api.dll" --urls "$address" --data "$3") ;;
        built) command+=(dotnet "$SERVER" --urls "$address" --data "$3") ;;
        peer) command+=(dotnet "$(program Peer)" --urls "$address" --data "$3") ;;
    esac
}

# first_answer PORT: returns when there is any answer over HTTP.
first_answer() {
    local line until=$((SECONDS + 60))
    while [ $SECONDS -lt $until ]; do
        if exec 3<>"/dev/tcp/127.0.0.1/$1"; then
            printf 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3
            read -r -t 10 line <&3 || line=
            exec 3>&-
            [[ $line == HTTP/1.1* ]] && return
        fi
    done 2>/dev/null
    return 1
}

# processor_ms PID: since it began, threads that have ended among them; in steps of 10.
processor_ms() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print ($12 + $13) * 10 }'; }

# switches PID: of each of its threads.
switches() { awk '/ctxt_switches/ { s[FILENAME] += $2 } END { for (f in s) print f, s[f] }' /proc/"$1"/task/*/status; }
memory_mb() { awk -v of="$2:" '$1 == of { printf "%.1f", $2 / 1024 }' /proc/"$1"/smaps_rollup; }

# start_once KIND: leaves the process in `server`, and the milliseconds until its first answer in `took`, those
# of processor time in `took_cpu`.
start_once() {
    local port began command
    port=$(free_port)
    startup_port=$port
    rm -rf "$scratch/startup.data"
    mkdir "$scratch/startup.data"
    startup_command "$1" "$port" "$scratch/startup.data"
    began=${EPOCHREALTIME/./}
    taskset -c $server_core "${command[@]}" >"$scratch/startup.log" 2>&1 &
    server=$!
    started+=("$server")
    first_answer "$port" || { cat "$scratch/startup.log" >&2; exit 1; }
    took=$(((${EPOCHREALTIME/./} - began) / 1000))
    took_cpu=$(processor_ms "$server")
}

# watch_idle KIND FILE: what the server takes while nobody wants anything, after it was used once.
watch_idle() {
    local cpu stream=http://127.0.0.1:$startup_port/api/streams/idle/events seconds began
    curl -sf -o /dev/null -H 'Content-Type: application/x-ndjson' -d '{"type":"t","data":1}' "$stream" || true
    curl -s -o /dev/null -m 1 -N -H 'Accept: text/event-stream' "$stream" || true
    # Until the compiler has caught up with what has just run.
    sleep 15
    cpu=$(processor_ms "$server") began=${EPOCHREALTIME/./}
    switches "$server" >"$scratch/switches"
    sleep "$IDLE"
    seconds=$(calc "(${EPOCHREALTIME/./} - $began) / 1000000" %.3f)
    printf '{"idle_percent":%s,"wakes_per_s":%s,"resident_mb":%s,"own_mb":%s}\n' \
        "$(calc "($(processor_ms "$server") - $cpu) / 10 / $seconds" %.4f)" \
        "$(switches "$server" | awk -v s="$seconds" 'NR == FNR { before[$1] = $2; next }
            $1 in before { n += $2 - before[$1] } END { print n / s }' "$scratch/switches" -)" \
        "$(memory_mb "$server" Rss)" "$(memory_mb "$server" Pss_Anon)" >>"$2"
}

run_startup() {
    local kind each
    rm -f "$scratch"/runs.startup.*
    for each in $(seq "$STARTS"); do
        say "startup: $each of $STARTS"
        for kind in $startup_kinds; do
            start_once "$kind"
            echo "{\"took_ms\":$took,\"cpu_ms\":$took_cpu}" >>"$scratch/runs.startup.$kind"
            stop_server "$server"
        done
    done
    for each in $(seq "$ROUNDS"); do
        for kind in $startup_kinds; do
            say "startup: $kind idle for $IDLE s"
            start_once "$kind"
            watch_idle "$kind" "$scratch/runs.startup.$kind"
            stop_server "$server"
        done
    done
}

report_startup() {
    local kind file
    echo "## Start-up and footprint: the embedded server before anybody uses it"
    echo
    describe_machine | head -1
    echo
    echo "$STARTS starts each, interleaved, and $ROUNDS times $IDLE s of idling; medians; on core $server_core, with" \
        "the collector that each program chooses."
    echo
    echo "| | ms from the start of the process to the first answer (goal: 500) | … processor time" \
        "| resident MB, idle (goal: 60)" \
        "| … of which its own | % of a core, idle (goal: 0.5) | wake-ups a second |"
    echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind in $startup_kinds; do
        file=$scratch/runs.startup.$kind
        echo "| $(startup_label "$kind") | $(calc "$(median "$file" took_ms)" %.0f) | $(calc "$(median "$file" cpu_ms)" %.0f)" \
            "| $(calc "$(median "$file" resident_mb)" %.1f) | $(calc "$(median "$file" own_mb)" %.1f)" \
            "| $(calc "$(median "$file" idle_percent)") | $(calc "$(median "$file" wakes_per_s)" %.0f) |"
    done
    echo
    echo "Resident is what the system counts, pages of shared libraries among it; its own is what is neither of a file" \
        "nor shared. Before idling, each has taken one event and served one reader. Processor time is the system's count for" \
        "the process, in steps of 10 ms."
}
