#!/usr/bin/env bash
# Everything that can be said of the source without running it.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== layers, includes, banned calls"
/usr/bin/python3 tools/check_source.py
/usr/bin/python3 tools/openapi.py --check

echo "== format"
mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.c' '*.h')
[ ${#files[@]} -gt 0 ]
clang-format --dry-run -Werror "${files[@]}"

echo "== scripts"
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh')
for script in "${scripts[@]}" .ci/run; do bash -n "$script"; done
mapfile -t pythons < <(git ls-files --cached --others --exclude-standard '*.py')
/usr/bin/python3 - "${pythons[@]}" <<'PY'
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)
PY

echo "== the page: types, form"
(
    cd web
    node_modules/.bin/openapi-typescript ../src/api/openapi.json --default-non-nullable false \
        --output src/api/schema.d.ts >/dev/null
    node_modules/.bin/tsc --project .
    node_modules/.bin/prettier --check --log-level warn .
)

echo "== warnings of clang, as errors"
if [ ! -e build-lint/build.ninja ]; then
    CC=clang meson setup build-lint --buildtype=debugoptimized -Dwerror=true -Dbench=true -Dcrash_points=true >/dev/null
fi
ninja -C build-lint

echo "== clang-tidy"
mapfile -t sources < <(git ls-files --cached --others --exclude-standard 'src/*.c')
printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy -p build-lint --quiet
echo "lint: clean"
