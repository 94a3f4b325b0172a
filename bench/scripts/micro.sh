# Time and allocations of the core, by BenchmarkDotNet. Sourced by bench/run.

build_micro() {
    build_project bench/Micro/Micro.csproj
}

run_micro() {
    say "micro: benchmarks of the core"
    env -C "$scratch/cwd" taskset -c $load_core dotnet "$(program Micro)" --filter '*' --artifacts "$scratch/micro" \
        >"$scratch/micro.log" 2>&1 || { cat "$scratch/micro.log" >&2; exit 1; }
}

report_micro() {
    echo "## The core: appending to a full ring of 10,000 events and reading from it, per event"
    echo
    describe_machine
    echo
    # Its tables, without the code block that describes the machine once more.
    cat "$scratch"/micro/results/*-github.md | grep '^|'
    echo
    echo "Allocated is what the garbage collector had to give per event; the ring's own bytes are pooled."
}
