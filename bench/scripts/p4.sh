# P4: memory of a connection, idle and after its first events; each server fresh. Sourced by bench/run.

: "${MEMORY_CONNECTIONS:=10000}"

build_p4() { build_p1; }

run_p4() {
    local name kind
    for name in ours nchan peer; do
        is_here $name || continue
        for kind in plain http2 tls tls-http2; do
            case $name.$kind in nchan.*http2 | peer.*http2) continue ;; esac
            case $kind in tls*) has_tls || continue ;; esac
            start $name
            # What a server has once: its code, its buffers.
            measure_memory $name "$kind" 200 warm
            rm -f "$(runs p4 $name "$kind")"
            measure_memory $name "$kind" "$MEMORY_CONNECTIONS" all
            stop $name
        done
    done
}

# secured KIND NAME: the generator's options for a way to connect.
secured() {
    case $1 in
        plain) ;;
        http2) echo --http2 ;;
        tls) echo "--tls --port ${tls_port[$2]} --publish-port ${port[$2]}" ;;
        tls-http2) echo "--tls --http2 --port ${tls_port[$2]} --publish-port ${port[$2]}" ;;
    esac
}

# After the events, quiet again for as long as before: longer than it takes a process at rest to give memory back.
measure_memory() {
    local idle=5
    [ "$4" = all ] || idle=0
    # shellcheck disable=SC2046
    WARMUP=0 MEASURE=$((idle + 1)) measure p4 "$1" "$2" "$4" --connections "$3" --idle $idle --rate 5 \
        --read "{S}/events" --publish "{S}/events" $(secured "$2" "$1")
}

# p4_kb NAME KIND open|after
p4_kb() {
    local before
    before=$(of p4 "$1" "$2" memory_before_kb)
    if [ "$before" = – ]; then echo –; else
        calc "($(of p4 "$1" "$2" "memory_$3_kb") - $before) / $MEMORY_CONNECTIONS"
    fi
}

report_p4() {
    local name kind
    echo "## P4: memory of a connection, $MEMORY_CONNECTIONS on one stream"
    describe_machine
    echo
    echo "| | server | kB a connection, idle | after 5 events a second for 6 s |"
    echo "| --- | --- | ---: | ---: |"
    for kind in plain http2 tls tls-http2; do for name in ours nchan peer; do
        [ -f "$(runs p4 $name $kind)" ] || continue
        echo "| $kind | $(title $name) | $(p4_kb $name $kind open) | $(p4_kb $name $kind after) |"
    done; done
    targets_head
    target P4 "memory of an idle connection, fast path" "$(p4_kb ours plain open)" most 6 kB
    target P4 "… after events" "$(p4_kb ours plain after)" most 6 kB
    target P4 "… through TLS, idle" "$(p4_kb ours tls open)" most 10 kB
    target P4 "… through TLS, after events" "$(p4_kb ours tls after)" most 10 kB
    target P4 "… through HTTP/2 without TLS, idle" "$(p4_kb ours http2 open)" most 10 kB
    target P4 "… through HTTP/2 without TLS, after events" "$(p4_kb ours http2 after)" most 10 kB
    echo
    echo "Resident memory of the server's process (of nginx's worker), less what it was before they connected; what a" \
        "server grows by once is in it already: 200 connections came and went before. The sockets' own memory is the" \
        "kernel's, and not in it. HTTP/2 has a connection each here; a browser has one for all its streams."
}
