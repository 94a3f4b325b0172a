# RESULTS.md: a section for each suite between markers, each with the machine and the versions it was measured with.
# Sourced by bench/run.

peer_versions() {
    if is_here nchan; then nginx -v 2>&1 | sed -E 's/.*nginx.([0-9.]+).*/, nginx \1/' | tr -d '\n'; nchan_version; fi
    if is_here redis; then redis-server --version | sed -E 's/.* v=([0-9.]+).*/, Redis \1/' | tr -d '\n'; fi
}

nchan_version() { dpkg-query -W -f ' with nchan ${Version}' libnginx-mod-nchan 2>/dev/null || true; }

describe_machine() {
    local model memory disk
    model=$(sed -nE 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)
    memory=$(awk '/MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo)
    disk=$(df --output=fstype "$out" | tail -1)
    echo "$(nproc) × ${model:-unknown processor}, $memory, Linux $(uname -r | cut -d- -f1), $disk;" \
        ".NET $(dotnet --version), $(cc --version | head -1 | sed 's/(.*) //')$(peer_versions);" \
        "commit $(git -C "$root" rev-parse --short HEAD)$(git -C "$root" diff --quiet HEAD || echo ' with changes')," \
        "$(date -u +%Y-%m-%d)."
}

describe_run() {
    echo
    describe_machine
    echo
    echo "$ROUNDS interleaved rounds, medians; ${WARMUP} s of warm-up and ${MEASURE} s measured each; servers on core" \
        "$server_core with DOTNET_gcServer=0${SERVER_ENV:+ $SERVER_ENV}, generator on core $load_core."
}

# replace_section NAME FILE
replace_section() {
    local page=$results/RESULTS.md name=$1 file=$2
    [ -f "$page" ] || printf '# Results\n\n%s\n' \
        'Written by `bench/run`. Ratios count; absolute figures are those of one machine on one day.' >"$page"
    if ! grep -q "^<!-- $name -->" "$page"; then
        printf '\n<!-- %s -->\n<!-- end of %s -->\n' "$name" "$name" >>"$page"
    fi
    awk -v begin="<!-- $name -->" -v end="<!-- end of $name -->" -v file="$file" '
        $0 == begin { print; while ((getline line < file) > 0) print line; skipping = 1 }
        $0 == end { skipping = 0 }
        !skipping && $0 != begin { print }' "$page" >"$scratch/results.md"
    cp "$scratch/results.md" "$page"
    cat "$file" >&2
}

# plot TITLE XLABEL: SERIES<tab>X<tab>Y lines to an SVG.
plot() { awk -v title="$1" -v xlabel="$2" -f "$here/scripts/plot.awk"; }
