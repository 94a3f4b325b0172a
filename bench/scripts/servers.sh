# The servers that are measured side by side: ours, nchan in nginx, the usual way of .NET (Peer), Redis, and the C
# limit. All on the servers' core. Sourced by bench/run.

declare -A port tls_port pid
frame_bytes_around=157    # what our envelope adds to an event's data: nchan's readers are sent as much

title() {
    case $1 in
        ours*) echo OrleansEvents ;;
        nchan) echo nginx with nchan ;;
        peer) echo "ServerSentEvents + Channel" ;;
        limit) echo C limit ;;
        redis) echo "Redis, XADD, appendfsync always" ;;
    esac
}

nchan_module() {
    local folder
    for folder in /usr/lib/nginx/modules /usr/lib64/nginx/modules /usr/share/nginx/modules; do
        [ -f "$folder/ngx_nchan_module.so" ] && { echo "$folder"; return; }
    done
    return 1
}

# is_here NAME: whether it can be measured on this machine; says once what is missing, and how to get it.
is_here() {
    case $1 in
        nchan) command -v nginx >/dev/null && nchan_module >/dev/null ||
            { say_once "nchan is not installed and left out: apt-get install nginx-light libnginx-mod-nchan"; return 1; } ;;
        redis) command -v redis-server >/dev/null ||
            { say_once "Redis is not installed and left out: apt-get install redis-server"; return 1; } ;;
    esac
}

# Those of the names that are on this machine.
here_of() {
    local name
    for name in "$@"; do if is_here "$name"; then echo "$name"; fi; done
}

has_tls() {
    command -v openssl >/dev/null && ! load_tls_missing ||
        { say_once "no TLS: it needs openssl and its headers (apt-get install openssl libssl-dev)"; return 1; }
}

# All of it is read: what ldd says must not break.
load_tls_missing() { ! ldd "$out/load/load" | grep libssl >/dev/null; }

make_certificate() {
    [ -f "$scratch/cert.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
        -keyout "$scratch/key.pem" -out "$scratch/cert.pem" -subj /CN=localhost 2>/dev/null
    chmod a+r "$scratch/key.pem"    # nginx's worker is somebody else
}

# start NAME [ARGUMENT...]: leaves port, tls_port (where there is TLS) and pid of the name. ours.* are ours, with
# arguments of their own.
start() {
    local name=$1 urls
    shift
    port[$name]=$(free_port)
    tls_port[$name]=$(free_port)
    urls=http://127.0.0.1:${port[$name]}
    certificate=()
    if has_tls; then
        make_certificate
        urls+=";https://127.0.0.1:${tls_port[$name]}"
        certificate=("--Kestrel:Certificates:Default:Path" "$scratch/cert.pem"
            "--Kestrel:Certificates:Default:KeyPath" "$scratch/key.pem")
    fi
    case $name in
        ours*)
            mkdir -p "$scratch/data.$name"
            start_server "${port[$name]}" dotnet "$SERVER" --urls "$urls" --data "$scratch/data.$name" \
                --Limits:Connections 19900 "${certificate[@]}" "$@" ;;
        peer) start_server "${port[$name]}" dotnet "$(program Peer)" --urls "$urls" "${certificate[@]}" "$@" ;;
        limit) start_server "${port[$name]}" "$out/load/limit" "${port[$name]}" ;;
        redis)
            mkdir -p "$scratch/redis"
            start_server "${port[$name]}" redis-server --port "${port[$name]}" --bind 127.0.0.1 --save "" \
                --appendonly yes --appendfsync always --dir "$scratch/redis" ;;
        nchan) start_nchan ;;
    esac
    case $name in ours* | peer | nchan) if has_tls; then await_port "${tls_port[$name]}"; fi ;; esac
    pid[$name]=$server
    # It is the worker that works.
    if [ "$name" = nchan ]; then pid[$name]=$(worker_of "$server"); fi
    masters[$name]=$server
}

declare -A masters

stop() {
    local name
    for name in "$@"; do stop_server "${masters[$name]}"; done
}

start_nchan() {
    local tls='#'
    if has_tls; then tls=; fi
    sed -e "s#MODULES#$(nchan_module)#; s#TLS_PORT#${tls_port[nchan]}#; s#FILES#$(ulimit -Hn)#" \
        -e "s#CONNECTIONS#19900#; s#SCRATCH#$scratch#; s#PORT#${port[nchan]}#; s/TLS:/$tls/" \
        "$here/scripts/nchan.conf" >"$scratch/nginx.conf"
    chmod a+x "$scratch"
    start_server "${port[nchan]}" nginx -c "$scratch/nginx.conf" -e "$scratch/nginx.log"
}

worker_of() {
    local worker
    until worker=$(pgrep -P "$1" -f worker); do sleep 0.1; done
    echo "$worker"
}

# load_on NAME OPTION...: the generator against a server, with what its way of publishing needs; its line on stdout.
# Exit 1 says that something was lost: it is in the line, and in the table.
load_on() {
    local name=$1 options=()
    shift
    # A body of the same length for all who only publish; frames of the same length for all who read.
    case " $* " in *" --read "*) size=$((SIZE + frame_bytes_around)) ;; *) size=$((SIZE + 26)) ;; esac
    if [ "$name" = nchan ]; then options=(--bare --ready-by-head --size "$size"); fi
    load --port "${port[$name]}" --pid "${pid[$name]}" "${options[@]}" "$@" || [ $? -eq 1 ]
}

# measure WORK NAME KIND TAG OPTION...: a stream of its own, so that a run begins with an empty buffer; {S} stands for
# its path.
measure() {
    local work=$1 name=$2 kind=$3 tag=$4 path=/api/streams/$4.$1.$3
    shift 4
    say "$work: $name, $kind ($tag)"
    if [[ $name = ours* ]]; then
        curl -sf -o /dev/null -X PUT -H 'Content-Type: application/json' \
            -d '{"buffer":100000,"bufferBytes":67108864}' "http://127.0.0.1:${port[$name]}$path" || true
    fi
    if ! load_on "$name" "${@//"{S}"/$path}" >>"$scratch/runs.$work.$name.$kind"; then
        [[ $name != ours* ]] || exit 1
        say "$work: $name did not bear $kind: it is left out"
        [ -s "$scratch/runs.$work.$name.$kind" ] || rm "$scratch/runs.$work.$name.$kind"
    fi
    if [[ $name = ours* ]]; then
        curl -sf -o /dev/null -X DELETE "http://127.0.0.1:${port[$name]}$path" || true
    fi
}

# warm WORK NAME KIND OPTION...: what is not measured. The managed servers' first minute is their compiler's: it has one
# core with them, and they keep it busy.
warm() {
    local work=$1 name=$2 kind=$3
    shift 3
    case $name in ours* | peer) ;; *) return ;; esac
    WARMUP=$FIRST_WARMUP MEASURE=1 measure "$work" "$name" "$kind" warm "$@"
    rm -f "$scratch/runs.$work.$name.$kind"
}
