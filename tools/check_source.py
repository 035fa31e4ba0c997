#!/usr/bin/env python3
"""Checks that the layers include only those above them, and that no banned call is used.

`--self-test` first plants files that break each rule and must see them refused: a check that can't fail is none.
"""
import os
import re
import sys
import tempfile

LAYERS = ["base", "model", "policy", "store", "delivery", "api", "cli"]
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]')
CALL = r"(?<![\w>.])%s\s*\("

# What must not be called, where it may be all the same, and what to use.
BANNED = [
    (r"strcpy|strcat|sprintf|vsprintf|gets|strtok|strncpy|strncat", [], "snprintf or base/buf"),
    (r"atoi|atol|atoll|atof|scanf|sscanf|fscanf", [], "strtol with a check"),
    (r"malloc|calloc|realloc|strdup|strndup", ["src/base/alloc.c"], "base/alloc"),
    (r"alloca|setjmp|longjmp|system|popen", [], "nothing"),
    (r"time|gettimeofday|clock_gettime|localtime|gmtime|mktime|ctime", ["src/base/clock.c"], "the clock handed in"),
    (r"sleep|usleep|nanosleep", [], "a timer of the loop"),
    (r"rand|srand|random|drand48|RAND_bytes", ["src/base/rand.c"], "the randomness handed in"),
    (r"getaddrinfo|gethostbyname", ["src/api/http_server.c"], "delivery/resolver"),
    (r"memcmp(?=.*(signature|token|api_key))", [], "ch_ct_equal"),
]
# Headers of libraries that only some layers, or files, may know.
FOREIGN = [
    (r"sqlite3\.h", ["src/store/", "src/cli/version.c"]),
    (r"event2/(http|buffer).*", ["src/api/http_"]),
    (r"event2/.*", ["src/delivery/", "src/api/", "src/cli/"]),
    (r"curl/multi\.h|ares\.h", ["src/delivery/", "src/cli/version.c"]),
    (r"curl/curl\.h", ["src/delivery/", "src/model/url", "src/cli/"]),
    (r"openssl/.*", ["src/base/", "src/delivery/", "src/api/http_tls.", "src/cli/version.c"]),
]


def strip_comments(text):
    """Comments and strings become blanks, line numbers stay."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def check_includes(path, lines):
    layer = path.split("/")[1]
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        name = found.group(2)
        top = name.split("/")[0]
        if found.group(1) == '"':
            if top not in LAYERS or "/" not in name:
                yield f'{path}:{number}: include "{name}" is not of the form "layer/file.h"'
            elif LAYERS.index(top) > LAYERS.index(layer):
                yield f"{path}:{number}: layer {layer} must not include {name}: {top} lies below it"
            continue
        for pattern, places in FOREIGN:
            if re.fullmatch(pattern, name):
                if not any(path.startswith(p) for p in places):
                    yield f"{path}:{number}: <{name}> may be known only to {', '.join(places)}"
                break


def check_calls(path, text):
    for number, line in enumerate(strip_comments(text).split("\n"), 1):
        for names, places, instead in BANNED:
            pattern = CALL % f"({names})" if "(?=" not in names else names
            if re.search(pattern, line) and path not in places:
                yield f"{path}:{number}: banned call {line.strip()[:60]} - use {instead}"


def check_header(path, text):
    if path.endswith(".h") and not text.startswith(f"/* {path[4:]} - "):
        yield f"{path}:1: the header does not begin with its name and role"


def check_tree(root):
    problems = []
    count = 0
    for folder, _, names in os.walk(os.path.join(root, "src")):
        for name in sorted(names):
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.relpath(os.path.join(folder, name), root)
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                text = f.read()
            count += 1
            if len(path.split("/")) > 2:
                problems += check_includes(path, text.split("\n"))
            problems += check_calls(path, text)
            problems += check_header(path, text)
    return count, problems


PLANTED = {
    "src/base/bad_layer.c": '#include "store/store.h"\n',
    "src/policy/bad_library.c": "#include <sqlite3.h>\n",
    "src/model/bad_call.c": "int f(char *a, const char *b);\nint f(char *a, const char *b)\n{\n\treturn !strcpy(a, b);\n}\n",
    "src/delivery/bad_clock.c": "long f(void);\nlong f(void)\n{\n\treturn time(0);\n}\n",
    "src/api/bad_header.h": "/* what is this? */\n",
}


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for path, text in PLANTED.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        _, problems = check_tree(root)
    for path in PLANTED:
        if not any(p.startswith(path + ":") for p in problems):
            sys.exit(f"check_source: the planted {path} was not refused; the check does not work")


def main():
    self_test()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    count, problems = check_tree(root)
    for problem in problems:
        print(problem)
    if count == 0:
        sys.exit("check_source: no file was found")
    print(f"check_source: {count} files, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
