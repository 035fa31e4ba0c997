#!/usr/bin/env python3
"""callhook beside the limit (raw POSTs of the same payload to the same receiver) and beside the worker that people
write today (BullMQ on Redis), each in one run on one machine.

Prints tables. A full run writes docs/benchmark.json, .svg and the figures in docs/benchmark.md; a partial one (--quick,
--only) writes the same files into build-bench. docs/benchmark.md says what each row means.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time

import accept
import bullmq
import calls
import endpoints
import lists
import machine
import neighbours
import picture
import report
import services
import steady
import throughput
from machine import BUILD, ROOT
from scenario import QUICK, Settings, choose

NAMES = ["rest", "tuning", "throughput", "accept", "steady", "endpoints", "lists", "hung", "backlog", "parts"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="each is measured so often, the median round is shown (3)")
    parser.add_argument("--only", action="append", choices=NAMES, help="just this scenario (repeatable)")
    parser.add_argument("--quick", action="store_true", help="about three minutes, with figures to match")
    parser.add_argument("--no-peer", action="store_true", help="without BullMQ")
    parser.add_argument("--out", help="the folder to write to")
    parser.add_argument("--hung-webhooks", type=int, help="webhooks whose receivers hang")
    parser.add_argument("--hung-window", type=int, help="concurrency of each of them")
    parser.add_argument("--backlog", type=int, help="deliveries pending for the neighbour")
    options = parser.parse_args()
    settings = QUICK if options.quick else Settings()
    for name in ("rounds", "hung_webhooks", "hung_window", "backlog"):
        if getattr(options, name) is not None:
            setattr(settings, name, getattr(options, name))
    return options, settings


def build():
    subprocess.run(["tools/setup.sh", "build-bench", "bench"], cwd=ROOT, check=True)
    subprocess.run(["ninja", "-C", BUILD], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    # What an earlier run that was stopped has left.
    for name in os.listdir(BUILD):
        if name.startswith(("callhook-bench-", "redis-bench-", "tls-bench-")):
            shutil.rmtree(os.path.join(BUILD, name), ignore_errors=True)


def measure(scenario, settings):
    """All rounds of all variants, in turns; returns {name: the middle round}."""
    rounds = {}
    number = 1 if scenario.once else settings.rounds
    for turn in range(number):
        for at, variant in enumerate(scenario.variants):
            print(f"{scenario.name}, round {turn + 1} of {number}, {at + 1} of {len(scenario.variants)}",
                  end="\r" if sys.stdout.isatty() else "\n", flush=True)
            for name, row in variant().items():
                rounds.setdefault(name, []).append(row)
    rows = {name: choose(found, scenario.middle) for name, found in rounds.items()}
    if scenario.finish:
        scenario.finish(rows)
    return rows


def parts(payload):
    """The micro-benchmarks: one step alone."""
    print("\nIn parts:", flush=True)
    for name in ("bench_codec", "bench_store", "bench_transport"):
        subprocess.run([os.path.join(BUILD, "bench", name)] + ([payload] if name == "bench_codec" else []), check=True)


def scenarios(options, settings, has_peer):
    """Makes each scenario when it is its turn, since the tuning decides how the later ones run the peer. A generator
    that is sent the rows of what it gave."""
    wanted = options.only or NAMES
    body = calls.canonical()
    payload = calls.payload_file(body)
    tuned = (100, 1)
    if "rest" in wanted:
        yield steady.rest_scenario(settings)
    if "tuning" in wanted and has_peer and not (options.quick and not options.only):
        tuned = throughput.best((yield throughput.tuning(payload, settings)))
    if "throughput" in wanted:
        yield throughput.scenario(body, payload, settings, tuned, has_peer)
    if "accept" in wanted:
        yield accept.scenario(body, payload, settings)
    if "steady" in wanted:
        yield steady.scenario(payload, settings, tuned, has_peer)
    if "endpoints" in wanted:
        yield endpoints.scenario(body, payload, settings, tuned, has_peer)
    if "lists" in wanted:
        yield lists.scenario(body, settings)
    if "hung" in wanted:
        yield neighbours.hung_scenario(body, settings)
    if "backlog" in wanted:
        yield neighbours.backlog_scenario(body, settings)
    if "parts" in wanted and not options.quick:
        parts(payload)


def write(document, folder):
    report.write_json(os.path.join(folder, "benchmark.json"), document)
    with open(os.path.join(folder, "benchmark.svg"), "w", encoding="utf-8") as f:
        f.write(picture.draw(document))
    report.write_markdown(os.path.join(folder, "benchmark.md"), document)
    print(f"\nwritten: benchmark.json, .svg and .md in {folder}")


def main():
    options, settings = arguments()
    started = time.monotonic()
    build()
    lacking = bullmq.needs()
    has_peer = not options.no_peer and not lacking
    if lacking and not options.no_peer:
        print(f"bench: without BullMQ: {lacking}")
    document = {"machine": machine.facts(), "settings": vars(settings), "payload_bytes": len(calls.canonical()),
                "scenarios": {}}
    source, rows, failed = scenarios(options, settings, has_peer), None, []
    while True:
        try:
            scenario = source.send(rows)
        except StopIteration:
            break
        try:
            rows = measure(scenario, settings)
        except services.GaveUp as why:
            print(f"\n{scenario.title}: given up: {why}")
            failed.append(scenario.name)
            services.kill_all()
            rows = {}
            continue
        report.print_table(scenario, rows)
        report.print_parts(rows)
        document["scenarios"][scenario.name] = {"title": scenario.title, "note": scenario.note, "rows": rows,
                                                "columns": report.shown_columns(scenario, rows)}
    document["took_s"] = time.monotonic() - started
    is_full = not (failed or options.only or options.quick or not has_peer)
    folder = options.out or (os.path.join(ROOT, "docs") if is_full else BUILD)
    write(document, folder)
    print(f"it took {document['took_s'] / 60:.1f} minutes")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        services.kill_all()
