# P5: publishing to one stream over 16 connections, nobody reading. Sourced by bench/run.

p5_loads="alone pipelined lines"

build_p5() { build_p1; }

run_p5() { run_side_by_side p5 "$p5_loads" "ours nchan peer limit"; }

p5_load() {
    local options="--publishers 16 --publish {S}/events"
    case $1.$2 in
        alone.*) echo "$options" ;;
        pipelined.*) echo "$options --pipeline 16" ;;
        lines.nchan) ;;
        lines.*) echo "$options --batch 100" ;;
    esac
}

p5_label() {
    case $1 in
        alone) echo "one request at a time" ;;
        pipelined) echo "16 requests in flight each" ;;
        lines) echo "NDJSON of 100, one request at a time" ;;
    esac
}

report_p5() {
    local kind name file refused
    refused=$(cat "$scratch"/runs.p5.ours.* | sed -nE 's/.*"refused":([0-9]+).*/\1/p' | awk '{ s += $1 } END { print s }')
    echo "## P5: publishing, 16 connections, $SIZE-byte data, nobody reads"
    describe_run
    echo
    echo "| | server | events per CPU second | events/s | answer p50 / p99 ms | CPU server / generator |"
    echo "| --- | --- | ---: | ---: | ---: | ---: |"
    for kind in $p5_loads; do for name in ours nchan peer limit; do
        file=$(runs p5 $name "$kind")
        [ -f "$file" ] || continue
        echo "| $(p5_label "$kind") | $(title $name) | $(thousands "$(median "$file" answered_per_cpu_s)")" \
            "| $(thousands "$(median "$file" answered_per_s)")" \
            "| $(median "$file" answer_p50_ms) / $(median "$file" answer_p99_ms)" \
            "| $(calc "100 * $(median "$file" server_cpu)" %.0f) % / $(calc "100 * $(median "$file" own_cpu)" %.0f) % |"
    done; done
    targets_head
    target P5 "publishes a processor second, to nchan" "$(to p5 alone answered_per_cpu_s ours nchan)" least 0.9
    target P5 "… pipelined, to nchan's" "$(to p5 pipelined answered_per_cpu_s ours nchan)" least 2.5
    target P5 "events a processor second as NDJSON of 100, million" \
        "$(calc "$(of p5 ours lines answered_per_cpu_s) / 1e6")" least 1.2
    echo
    echo "Ours checks every token of every event, numbers it and puts its envelope around it; nchan takes bytes, the" \
        "limit looks for the data. nchan is given bodies of the same length. Refused: $refused."
    generator_note p5
}
