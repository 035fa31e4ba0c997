#!/usr/bin/env bash
# The demonstration: service in development mode, a receiver that verifies, and the documented call played through.
set -euo pipefail
cd "$(dirname "$0")/.."

api=${CALLHOOK_RUN_API:-127.0.0.1:8080}
receiver=${CALLHOOK_RUN_RECEIVER:-127.0.0.1:9000}
call=tests/data/seed-call.json
state=$(mktemp -d)
touch "$state"/{serve.out,serve.log,listen.out,listen.log}
pids=()

finish() {
    trap - EXIT INT TERM
    set +e # what was stopped answers 143, and the rest is still to be stopped and removed
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    rm -rf "$state"
    exit "${1:-0}"
}
trap 'finish $?' EXIT
trap 'echo; finish 0' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

key=demo-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
ask() { curl -fsS -H "X-Api-Key: $key" -H 'Content-Type: application/json' "$@"; }

# The environment, not the command line: other users of the machine can read the latter.
CALLHOOK_API_KEY=$key build/callhook serve --dev --listen "$api" --store "sqlite:$state/callhook.db" \
    >"$state/serve.out" 2>"$state/serve.log" &
pids+=($!)
service=$!
until grep -q 'is ready on' "$state/serve.out"; do
    kill -0 "$service" 2>/dev/null || {
        cat "$state/serve.out" "$state/serve.log" >&2
        finish 1
    }
    sleep 0.1
done
say "callhook serves on http://$api (development mode, SQLite in $state)"

say "A customer sets a webhook and generates a secret"
webhook=$(ask -X POST "http://$api/v1/webhooks" -d "{\"url\": \"http://$receiver/calls\", \"name\": \"demonstration\"}")
id=$(sed -E 's/.*"id": ?"([^"]+)".*/\1/' <<<"$webhook")
ask -X POST "http://$api/v1/webhooks/$id/secret" | sed -E 's/.*"secret": ?"([^"]+)".*/\1/' >"$state/secret"
echo "http://$receiver/calls is webhook $id, secured"

build/callhook listen --listen "$receiver" --secret-file "$state/secret" 2>"$state/listen.log" >"$state/listen.out" &
pids+=($!)
listener=$!
until grep -q 'listening on' "$state/listen.log"; do
    kill -0 "$listener" 2>/dev/null || {
        cat "$state/listen.log" >&2
        finish 1
    }
    sleep 0.1
done

say "The voice platform hands over a finished call: PUT /v1/calls/…"
call_id=$(sed -nE 's/^  "id": "([^"]+)".*/\1/p' "$call")
ask -X PUT "http://$api/v1/calls/$call_id" --data-binary "@$call" -o /dev/null -w 'answered %{http_code}: accepted and on disk\n'

until [ -s "$state/listen.out" ] && grep -q '^}' "$state/listen.out"; do
    kill -0 "$listener" "$service" 2>/dev/null || finish 1
    sleep 0.1
done
say "The customer's receiver got:"
cat "$state/listen.out"

cat <<TEXT
Still running. The settings page: http://$api/ - sign in with the key
  $key
or try it from another terminal:
  export CALLHOOK_API_KEY=$key
  curl -H "X-Api-Key: \$CALLHOOK_API_KEY" http://$api/v1/calls/$call_id
  curl -H "X-Api-Key: \$CALLHOOK_API_KEY" http://$api/v1/deliveries
Ctrl-C stops it.
TEXT
tail -n +1 -f --pid="$listener" "$state/listen.out" 2>/dev/null | tail -n +"$(($(wc -l <"$state/listen.out") + 1))" &
pids+=($!)
wait "$service" "$listener"
