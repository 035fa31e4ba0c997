#!/usr/bin/env bash
# Makes a build directory once: tools/setup.sh DIR KIND, KIND out of release, asan, tsan, fuzz, bench.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$1
kind=$2
[ -e "$dir/build.ninja" ] && exit 0
case $kind in
release) options=(--buildtype=release -Dtests=false -Db_pie=true -Ddebug=true) ;;
asan) options=(--buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true
    -Dcrash_points=true) ;;
tsan) options=(--buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Dwerror=true -Dcrash_points=true) ;;
fuzz) options=(--buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true
    -Dc_args=-fsanitize=fuzzer-no-link) ;;
bench) options=(--buildtype=release -Ddebug=true -Dtests=false -Dbench=true) ;;
*)
    echo "setup.sh: unknown kind $kind" >&2
    exit 2
    ;;
esac
[ "$kind" = fuzz ] && export CC=clang
meson setup "$dir" "${options[@]}"
