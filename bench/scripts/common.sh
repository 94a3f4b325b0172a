# Starting and stopping, numbers out of JSON lines. Sourced by bench/run.

started=()
server_core=0
load_core=1

say() { echo "bench: $*" >&2; }

say_once() {
    grep -qxF "$*" "$scratch/said" 2>/dev/null && return
    echo "$*" >>"$scratch/said"
    say "$*"
}

# Only what was started here is stopped, whatever way the run ends.
stop_all() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    started=()
    rm -rf "$scratch" ${scratch_postgres:+"$scratch_postgres"}
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# start_server PORT COMMAND...: on the servers' core; leaves its process id in `server`, returns when it listens.
# The working directory is an empty one: ASP.NET Core watches the files below it for new settings, and a database that
# is written there keeps that watcher busy.
start_server() {
    local port=$1 log=$scratch/server.$1.log
    shift
    # shellcheck disable=SC2086
    env -C "$scratch/cwd" DOTNET_gcServer=0 $SERVER_ENV taskset -c $server_core "$@" >"$log" 2>&1 &
    server=$!
    started+=("$server")
    for _ in $(seq 300); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    say "did not start: $*"
    exit 1
}

await_port() {
    for _ in $(seq 300); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
        sleep 0.1
    done
    say "nothing listens on $1"
    exit 1
}

stop_server() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

load() { taskset -c $load_core "$out/load/load" --warmup "$WARMUP" --seconds "$MEASURE" --size "$SIZE" "$@"; }

build_load() {
    [ ! -f "$scratch/built.load" ] || return 0
    : >"$scratch/built.load"
    make -s -C "$here/load" OUT="$out/load" all check >&2
}

# Several works need the same.
build_project() {
    [ ! -f "$scratch/built.${1//\//.}" ] || return 0
    : >"$scratch/built.${1//\//.}"
    [ "$BUILD" = yes ] || return 0
    say "building $1"
    dotnet build "$root/$1" -c Release -v q --nologo -maxcpucount:1 >"$scratch/build.log" 2>&1 && return
    cat "$scratch/build.log" >&2
    exit 1
}

build_server() { [ "$SERVER" != "$(program Api)" ] || build_project Api/Api.csproj; }

program() { echo "$root/artifacts/bin/$1/release/OrleansEvents.$1.dll"; }

# median FILE FIELD: of that number over all JSON lines of the file.
median() {
    sed -nE "s/.*\"$2\":(-?[0-9.]+).*/\1/p" "$1" | sort -g |
        awk '{ v[NR] = $1 }
            END {
                if (!NR) print 0
                else print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            }'
}

total() { sed -nE "s/.*\"$2\":([0-9.]+).*/\1/p" "$1" | awk '{ s += $1 } END { print s + 0 }'; }

# calc EXPRESSION [FORMAT]
calc() { awk "BEGIN { printf \"${2:-%.2f}\", $1 }"; }

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "–" }'; }

thousands() {
    awk -v n="$1" 'BEGIN {
        if (n >= 1e6) printf "%.2f M", n / 1e6
        else if (n >= 1e4) printf "%.0f k", n / 1e3
        else printf "%.0f", n
    }'
}
