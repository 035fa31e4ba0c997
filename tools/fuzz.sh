#!/usr/bin/env bash
# Runs every fuzz target for some seconds each (default 120) from its corpus; new finds go to build-fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-120}
tools/setup.sh build-fuzz fuzz
ninja -C build-fuzz
mkdir -p build-fuzz/found
targets=(build-fuzz/tests/fuzz/fuzz_*)
ran=0
for target in "${targets[@]}"; do
    [ -f "$target" ] && [ -x "$target" ] && [[ $target != *_replay ]] || continue
    name=$(basename "$target")
    dictionary=()
    [ -e "tests/fuzz/${name#fuzz_}.dict" ] && dictionary=(-dict="tests/fuzz/${name#fuzz_}.dict")
    corpus=tests/fuzz/corpus/${name#fuzz_}
    mkdir -p "build-fuzz/found/$name"
    echo "== $name, $seconds s"
    "$target" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="build-fuzz/found/$name-" \
        "${dictionary[@]}" "build-fuzz/found/$name" "$corpus" 2>&1 | tail -n 12
    ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || {
    echo "fuzz.sh: no target was built" >&2
    exit 1
}
