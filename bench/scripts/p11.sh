# P11: TLS and HTTP/2 beside plain HTTP/1.1, one stream, as fast as it goes and paced. Publishers stay with plain
# HTTP/1.1. Sourced by bench/run.

p11_ways="plain http2 tls tls-http2"

build_p11() { build_p1; }

run_p11() {
    if ! has_tls; then p11_ways="plain http2"; fi
    ROUNDS=$(rounds 2) warm_loads="fast.plain fast.http2 fast.tls fast.tls-http2" \
        run_side_by_side p11 "$(for way in $p11_ways; do echo "fast.$way" "paced.$way"; done)" "ours nchan peer"
}

p11_load() {
    local pace=${1%%.*} way=${1#*.}
    # Without TLS, only ours tells HTTP/1.1 and HTTP/2 on one port apart.
    case $2.$way in nchan.http2 | peer.http2) return ;; esac
    echo "--connections $CONNECTIONS --read {S}/events --publish {S}/events $(secured "$way" "$2")"
    case $pace.$2 in
        paced.*) echo "--rate 50" ;;
        fast.nchan) echo "--window 16 --pipeline 16" ;;
        fast.*) echo "--batch 10 --window $window --pipeline $((window / 10))" ;;
    esac
}

p11_row() {
    local line="| $1, $(title "$2")" way
    for way in $p11_ways; do
        line+=" | $(thousands_or_dash "$(of p11 "$2" "$1.$way" deliveries_per_cpu_s)")"
        [ "$way" = plain ] || line+=" ($(p11_share "$2" "$1" "$way"))"
    done
    echo "$line |"
}

thousands_or_dash() { if [ "$1" = – ]; then echo –; else thousands "$1"; fi; }

# p11_share NAME PACE WAY: of what it delivers plainly.
p11_share() { to p11 "$2.$3" deliveries_per_cpu_s "$1" "$1" "$2.plain"; }

report_p11() {
    local name pace way
    echo "## P11: TLS and HTTP/2, $CONNECTIONS connections on one stream"
    ROUNDS=$(rounds 2) describe_run
    echo
    echo "| deliveries per CPU second (to plain HTTP/1.1) | $(echo "$p11_ways" | sed 's/ / | /g') |"
    echo "| --- |$(for way in $p11_ways; do printf ' ---: |'; done)"
    for pace in fast paced; do for name in ours nchan peer; do
        [ ! -f "$(runs p11 $name $pace.plain)" ] || p11_row $pace $name
    done; done
    targets_head
    for way in ${p11_ways#plain }; do
        target P11 "as fast as it goes, $way to plain" "$(p11_share ours fast "$way")" least 0.6
    done
    for way in ${p11_ways#plain http2}; do for pace in fast paced; do for name in nchan peer; do
        target P11 "$way's loss, $pace, to that of $(title $name)" \
            "$(p11_beside "$pace" "$way" $name)" least 1
    done; done; done
    echo
    echo "fast: in publishes of 10 (nchan: of one) as fast as the slowest reader keeps up with; paced: 50 events/s."
    generator_note p11
}

# What is left of ours through TLS, to what is left of another's.
p11_beside() {
    local own other
    own=$(p11_share ours "$1" "$2")
    other=$(p11_share "$3" "$1" "$2")
    if [ "$own" = – ] || [ "$other" = – ]; then echo –; else ratio "$own" "$other"; fi
}
