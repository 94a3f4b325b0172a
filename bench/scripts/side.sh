# What most works share: servers side by side under the same loads, in turns. A work W gives its generator's options for
# a load in W_load LOAD [NAME], and its report. Sourced by bench/run.

window=400    # events ahead of the slowest reader: more adds latency and nothing else, to any of the servers

# The rounds of a long work: ROUNDS, at most so many.
rounds() { echo $((ROUNDS < $1 ? ROUNDS : $1)); }

# run_side_by_side WORK LOADS NAMES: warm_loads, where it is set, are those that managed servers are warmed with.
run_side_by_side() {
    local work=$1 loads=$2 names name kind round
    names=$(here_of $3)
    for name in $names; do start "$name"; done
    for name in $names; do for kind in ${warm_loads:-$loads}; do
        # shellcheck disable=SC2046
        if takes "$work" "$kind" "$name"; then warm "$work" "$name" "$kind" $("${work}_load" "$kind" "$name"); fi
    done; done
    for round in $(seq "$ROUNDS"); do for kind in $loads; do for name in $names; do
        # shellcheck disable=SC2046
        if takes "$work" "$kind" "$name"; then
            measure "$work" "$name" "$kind" "round$round" $("${work}_load" "$kind" "$name")
        fi
    done; done; done
    # shellcheck disable=SC2086
    stop $names
}

# A load without options for a server is not put on it.
takes() { [ -n "$("$1_load" "$2" "$3")" ]; }

runs() { echo "$scratch/runs.$1.$2.$3"; }

# of WORK NAME LOAD FIELD: the median, or – where there is none.
of() { if [ -f "$(runs "$1" "$2" "$3")" ]; then median "$(runs "$1" "$2" "$3")" "$4"; else echo –; fi; }

# to WORK LOAD FIELD NAME OTHER [OTHERS_LOAD]: the ratio.
to() {
    local one other
    one=$(of "$1" "$4" "$2" "$3")
    other=$(of "$1" "$5" "${6:-$2}" "$3")
    if [ "$one" = – ] || [ "$other" = – ]; then echo –; else ratio "$one" "$other"; fi
}

delivery_table() {
    local work=$1 kind name
    shift
    echo
    echo "| | server | deliveries per CPU second | deliveries/s | CPU µs each | frames a read | bytes a frame" \
        "| p50 / p99 ms | CPU server / generator | lost |"
    echo "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind in "$@"; do for name in ours nchan peer limit; do
        if [ -f "$(runs "$work" $name "$kind")" ]; then delivery_row "$work" $name "$kind"; fi
    done; done
}

delivery_row() {
    local file
    file=$(runs "$1" "$2" "$3")
    echo "| $(load_label "$3") | $(title "$2") | $(thousands "$(median "$file" deliveries_per_cpu_s)")" \
        "| $(thousands "$(median "$file" deliveries_per_s)") | $(calc "$(median "$file" cpu_s_per_million)" %.3g)" \
        "| $(calc "$(median "$file" frames_per_read)" %.0f) | $(calc "$(median "$file" bytes_per_frame)" %.0f)" \
        "| $(calc "$(median "$file" p50_ms)" %.1f) / $(calc "$(median "$file" p99_ms)" %.1f)" \
        "| $(calc "100 * $(median "$file" server_cpu)" %.0f) % / $(calc "100 * $(median "$file" own_cpu)" %.0f) %" \
        "| $(calc "$(total "$file" missing) + $(total "$file" lost) + $(total "$file" gaps)" %.0f) |"
}

load_label() {
    case $1 in
        paced) echo "paced" ;;
        [0-9]*) echo "$1 a publish" ;;
        *) echo "$1" ;;
    esac
}
