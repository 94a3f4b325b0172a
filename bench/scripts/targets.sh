# Targets: a row each in the section of its work, and all of them together at the head of RESULTS.md. Sourced by
# bench/run.

targets_head() {
    echo
    echo "| target | | measured | wanted | |"
    echo "| --- | --- | ---: | ---: | --- |"
}

# target NAME WHAT MEASURED MOST|LEAST WANTED [UNIT]
target() {
    local sign=≤ verdict
    [ "$4" = most ] || sign=≥
    verdict=$(awk -v is="$3" -v most="$4" -v wanted="$5" 'BEGIN {
        if (is !~ /^[0-9.]+$/) print "not measured"
        else if (most == "most" ? is + 0 <= wanted + 0 : is + 0 >= wanted + 0) print "met"
        else print "**missed**" }')
    echo "| $1 | $2 | $3${6:+ $6} | $sign $5${6:+ $6} | $verdict |"
}

# generator_note WORK: proof that the generator was not the bottleneck, from all lines of the work.
generator_note() {
    echo
    cat "$scratch/runs.$1."* | sed -nE 's/.*"own_cpu":([0-9.]+).*/\1/p' | sort -g | awk '
        { most = $1; over += $1 >= 0.9; n++ }
        END { printf "The generator used at most %.0f %% of its core; it was the bottleneck (90 %% or more) in %d of %d" \
            " runs.", 100 * most, over, n }'
    echo " The C limit's row is what it can take." \
        "It has checked the number of every frame on every connection."
}

# The rows of all sections, at the head.
summarize_targets() {
    {
        echo "## Targets"
        targets_head
        sed '/^<!-- targets -->/,/^<!-- end of targets -->/d' "$results/RESULTS.md" | grep -E '^\| P[0-9]+ \|' |
            sort -s -t '|' -k 2.3,2V || true
    } >"$scratch/targets.md"
    replace_section targets "$scratch/targets.md"
}
