#!/usr/bin/env bash
# Installs what is missing, from Debian's packages and npm. Arguments: groups out of build, test, lint, bench, peer (what
# the bench compares callhook with).
# Nothing is asked of the network when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(gcc libc6-dev make meson ninja-build pkg-config python3 ca-certificates curl
    libevent-dev libcurl4-openssl-dev libc-ares-dev libsqlite3-dev libssl-dev libjansson-dev)
test_packages=(libcmocka-dev clang llvm libclang-rt-14-dev python3-pytest openssl git locales libcommons-codec-java
    prometheus chromium webhook python3-jsonschema)
lint_packages=(clang clang-format clang-tidy libcmocka-dev locales git)
bench_packages=(wrk openssl)
peer_packages=(redis-server)

wanted=()
needs_node=false
needs_java=false
needs_interop=false
needs_web=false
needs_peer=false
for group in "$@"; do
    case $group in
    build)
        wanted+=("${build_packages[@]}")
        needs_node=true
        needs_web=true
        ;;
    test)
        wanted+=("${test_packages[@]}")
        needs_node=true
        needs_java=true
        needs_interop=true
        ;;
    lint)
        wanted+=("${lint_packages[@]}")
        needs_node=true
        needs_web=true
        ;;
    bench) wanted+=("${bench_packages[@]}") ;;
    peer)
        wanted+=("${peer_packages[@]}")
        needs_node=true
        needs_peer=true
        ;;
    *)
        echo "deps.sh: unknown group $group" >&2
        exit 2
        ;;
    esac
done
# Node and Java may have come from elsewhere; only a machine without them gets Debian's.
if $needs_node && ! { command -v node && command -v npm; } >/dev/null 2>&1; then
    wanted+=(nodejs npm)
fi
if $needs_java && ! command -v javac >/dev/null 2>&1; then
    wanted+=(default-jdk-headless)
fi

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=none
    [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "deps.sh: these packages are missing and need root or sudo: ${missing[*]}" >&2
            exit 1
        }
        as_root=(sudo)
    fi
    echo "installing: ${missing[*]}"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

install_npm() {
    local done=$1/node_modules/.installed
    if [ ! -e "$done" ] || [ "$1/package-lock.json" -nt "$done" ]; then
        (cd "$1" && npm ci --no-audit --no-fund && touch node_modules/.installed)
    fi
}
if $needs_web; then install_npm web; fi
if $needs_interop; then install_npm tests/interop; fi
if $needs_peer; then install_npm bench/peer; fi
