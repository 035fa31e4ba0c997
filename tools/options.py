#!/usr/bin/env python3
"""The table of options in docs/configuration.md, out of what `callhook serve --help` prints.

    tools/options.py --write    after an option has changed
    tools/options.py --check    says what differs; the tests call it

The binary is build/callhook, or what CALLHOOK names.
"""
import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "configuration.md")
BEGIN, END = "<!-- options: written by tools/options.py -->\n", "<!-- end of options -->\n"
LINE = re.compile(r"^  --(?P<name>[a-z0-9-]+)(?: (?P<arg>[A-Z][A-Z:/]*))? +(?P<help>.*?)"
                  r"(?: \[(?P<fallback>[^\]]*)\])?(?P<repeats> \(repeatable\))?$")


def help_text():
    binary = os.environ.get("CALLHOOK", os.path.join(ROOT, "build", "callhook"))
    return subprocess.run([os.path.abspath(binary), "serve", "--help"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def options(text):
    """Every option of the help, as dicts. A line of the list that is not understood is an error, not left out."""
    lines = text.split("\nOptions:\n", 1)[1].split("\n\n", 1)[0].splitlines()
    found = []
    for line in lines:
        match = LINE.match(line)
        if not match:
            sys.exit(f"options.py: this line of serve --help is not understood: {line}")
        found.append(match.groupdict())
    return found


def cell(text):
    return text.replace("|", "\\|")


def table(found):
    rows = ["| option | in the environment | default | what |", "| --- | --- | --- | --- |"]
    for option in found:
        if option["name"] == "help":
            continue
        flag = f"`--{option['name']}" + (f" {option['arg']}`" if option["arg"] else "`")
        if option["repeats"]:
            flag += ", repeatable"
        variable = f"`CALLHOOK_{option['name'].upper().replace('-', '_')}`"
        fallback = option["fallback"] or ("off" if not option["arg"] else "")
        rows.append(f"| {flag} | {variable} | {cell(fallback)} | {cell(option['help'])} |")
    return "\n".join(rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--write", action="store_true")
    how.add_argument("--check", action="store_true")
    wanted = table(options(help_text()))
    chosen = parser.parse_args()
    with open(PAGE, encoding="utf-8") as f:
        head, rest = f.read().split(BEGIN)
    there, tail = rest.split(END)
    if chosen.write:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(head + BEGIN + wanted + END + tail)
        return 0
    missing = [line for line in wanted.splitlines() if line not in there.splitlines()]
    stale = [line for line in there.splitlines() if line not in wanted.splitlines()]
    for line in missing:
        print(f"docs/configuration.md lacks: {line}")
    for line in stale:
        print(f"docs/configuration.md has too much: {line}")
    if missing or stale:
        print("tools/options.py --write mends it")
    return 1 if wanted != there else 0


if __name__ == "__main__":
    sys.exit(main())
