#!/usr/bin/python3
"""Builds the page (web/) and writes it as C, each file plain and compressed.

usage: page.py WEB OUT.c

Node runs the bundler; its packages are those of WEB/node_modules, which tools/deps.sh installs.
"""

import gzip
import hashlib
import os
import subprocess
import sys
import tempfile

A_LINE = 24
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def bundle(web, out):
    vite = os.path.join(web, "node_modules", "vite", "bin", "vite.js")
    if not os.path.exists(vite):
        sys.exit(f"page.py: {vite} is missing; `tools/deps.sh build` installs it")
    run = subprocess.run(["node", vite, "build", "--outDir", out, "--logLevel", "warn"], cwd=web,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode != 0:
        sys.exit("page.py: the bundler failed\n" + run.stdout)


def files_under(top):
    found = []
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                found.append((os.path.relpath(path, top), f.read()))
    return sorted(found)


def array(name, data):
    yield f"static const unsigned char {name}[] = {{\n"
    for at in range(0, len(data), A_LINE):
        yield "\t" + " ".join(f"{b}," for b in data[at : at + A_LINE]) + "\n"
    yield "};\n\n"


def text_of(files):
    yield '/* Made by tools/page.py; changes are lost. */\n\n#include "api/page.h"\n\n'
    rows = []
    for i, (path, data) in enumerate(files):
        small = gzip.compress(data, 9, mtime=0)
        kind = TYPES.get(os.path.splitext(path)[1])
        if kind is None:
            sys.exit(f"page.py: no content type for {path}")
        tag = hashlib.sha256(data).hexdigest()[:16]
        yield from array(f"plain_{i}", data)
        yield from array(f"small_{i}", small)
        rows.append(f'\t{{"/{path}", "{kind}", "\\"{tag}\\"", plain_{i}, sizeof(plain_{i}), small_{i}, '
            f"sizeof(small_{i})}},\n")
    yield "const struct page_file page_files[] = {\n" + "".join(rows) + "};\n\n"
    yield f"const size_t page_file_count = {len(files)};\n"


def main(argv):
    if len(argv) != 3:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        bundle(os.path.abspath(argv[1]), folder)
        text = "".join(text_of(files_under(folder)))
    with open(argv[2], "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main(sys.argv)
