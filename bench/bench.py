#!/usr/bin/env python3
"""callhook beside the limit: raw POSTs of the same payload to the same receiver, in one run on one machine.

Prints a table, and writes build-bench/results.json. What counts is deliveries per CPU second of the sender (all its
threads): the machines are shared, so wall-clock rates are shown but not compared across runs.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build-bench")
TICKS = os.sysconf("SC_CLK_TCK")
KEY = "bench-key-0123456789abcdef"


def cpu_of(pid):
    """CPU seconds of a process so far: total and by thread name."""
    threads = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/stat") as f:
                name, rest = re.match(r"\d+ \((.*)\) (.*)", f.read()).groups()
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                seconds = int(f.read().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue
        if not seconds:
            fields = rest.split()
            seconds = (int(fields[11]) + int(fields[12])) / TICKS
        threads[name] = threads.get(name, 0) + seconds
    return sum(threads.values()), threads


def get(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=120) as answer:
        return answer.read()


class Receiver:
    """Endpoints that answer at once: one process, so many addresses."""

    def __init__(self, hosts=1):
        self.process = subprocess.Popen([os.path.join(BUILD, "bench", "receiver"), str(hosts)],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.urls = [f"http://127.0.0.{i + 1}:{self.port}/" for i in range(hosts)]
        self.url = self.urls[0]

    def count(self):
        return int(get(self.url))

    def wait(self, count):
        """Until so many POSTs came; the last moment that the count was seen to move ends the measurement."""
        while True:
            seen = self.count()
            if seen >= count:
                return time.monotonic()
            time.sleep(0.01)

    def close(self):
        self.process.kill()
        self.process.wait()


class Callhook:
    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="callhook-bench-", dir=BUILD)
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "callhook"), "serve", "--dev", "--listen", "127.0.0.1:0", "--store",
             f"sqlite:{self.folder}/bench.db", "--log-level", "warn", *options],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "CALLHOOK_API_KEY": KEY})
        for line in self.process.stdout:
            ready = re.search(r"ready on (http://\S+)", line)
            if ready:
                self.url = ready.group(1)
                return
        sys.exit("callhook did not start")

    def post(self, path, body, kind="application/json"):
        request = urllib.request.Request(self.url + path, body, {"X-Api-Key": KEY, "Content-Type": kind}, method="POST")
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.read()

    def webhook(self, url, **settings):
        made = json.loads(self.post("/v1/webhooks", json.dumps({"url": url, **settings}).encode()))["id"]
        self.post(f"/v1/webhooks/{made}/secret", b"")
        return made

    def wait_recorded(self, delivered):
        """Until the store has the result of every delivery: part of the work, so part of the measurement."""
        while True:
            text = get(self.url + "/metrics").decode()
            found = re.search(r'^callhook_ledger_deliveries\{state="delivered"\} (\d+)', text, re.M)
            if found and int(found.group(1)) >= delivered:
                return
            time.sleep(0.01)

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)


def wrk(script, url, connections, threads, seconds, environment):
    """Runs wrk; returns (requests, wall seconds, CPU seconds of wrk)."""
    before = os.times()
    done = subprocess.run(["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s", "-s",
                           os.path.join(ROOT, "bench", script), url],
                          capture_output=True, text=True, check=True, env={**os.environ, **environment})
    after = os.times()
    requests, wall = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout).groups()
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if bad:
        sys.exit(f"{bad.group(1)} requests failed: {done.stdout}")
    return int(requests), float(wall), \
        after.children_user + after.children_system - before.children_user - before.children_system


def limit(payload, seconds):
    receiver = Receiver()
    requests, wall, cpu = wrk("post.lua", receiver.url, 32, 1, seconds, {"PAYLOAD": payload})
    receiver_cpu, _ = cpu_of(receiver.process.pid)
    receiver.close()
    return {"deliveries": requests, "wall_s": wall, "cpu_s": cpu, "receiver_cpu_s": receiver_cpu}


def measured(callhook, receiver, count, started, cpu_before):
    ended = receiver.wait(count)
    callhook.wait_recorded(count)
    cpu, threads = cpu_of(callhook.process.pid)
    return {"deliveries": count, "wall_s": ended - started, "cpu_s": cpu - cpu_before[0],
            "receiver_cpu_s": cpu_of(receiver.process.pid)[0],
            "threads_cpu_s": {n: t - cpu_before[1].get(n, 0) for n, t in threads.items()}}


def by_import(body, count, run, webhooks):
    receiver, callhook = Receiver(webhooks), Callhook()
    for url in receiver.urls:
        callhook.webhook(url, concurrency=32)
    calls = count // webhooks
    chunks, lines = [], []
    head, tail = body.split(b'"id":"', 1)[0] + b'"id":"', body.split(b'"id":"', 1)[1][36:]
    for i in range(calls):
        lines.append(head + b"%08x-0000-4000-9000-%012x" % (run, i) + tail)
        if len(lines) == 8000 or i == calls - 1:
            chunks.append(b"\n".join(lines))
            lines = []
    before, started = cpu_of(callhook.process.pid), time.monotonic()
    for chunk in chunks:
        answer = callhook.post("/v1/calls/import", chunk, "application/x-ndjson")
        if answer.count(b'"status":201') != chunk.count(b"\n") + 1:
            sys.exit("a line of the import was not accepted: " + answer[:300].decode())
    result = measured(callhook, receiver, calls * webhooks, started, before)
    callhook.close()
    receiver.close()
    return result


def by_put(payload, run, seconds, connections):
    receiver, callhook = Receiver(), Callhook()
    callhook.webhook(receiver.url, concurrency=32)
    before, started = cpu_of(callhook.process.pid), time.monotonic()
    requests, _, _ = wrk("put.lua", callhook.url, connections, 1, seconds,
                         {"PAYLOAD": payload, "KEY": KEY, "RUN": str(run)})
    accepted = json.loads(callhook_ledger(callhook))
    result = measured(callhook, receiver, accepted, started, before)
    result["answered"] = requests
    callhook.close()
    receiver.close()
    return result


def callhook_ledger(callhook):
    """Deliveries accepted once nothing more comes in: two equal readings."""
    last = None
    while True:
        text = get(callhook.url + "/metrics").decode()
        now = sum(int(n) for n in re.findall(r'^callhook_ledger_deliveries\{state="\w+"\} (\d+)', text, re.M))
        if now == last:
            return str(now)
        last = now
        time.sleep(0.2)


def row(name, r, base):
    per_cpu = r["deliveries"] / r["cpu_s"]
    r.update(name=name, deliveries_per_s=r["deliveries"] / r["wall_s"], deliveries_per_cpu_s=per_cpu,
             cpu_us_per_delivery=1e6 / per_cpu, of_limit=per_cpu / base if base else 1.0)
    return r


def table(results):
    print(f"\n{'':34}{'deliveries':>11}{'per second':>12}{'CPU us each':>13}{'per CPU s':>11}{'of limit':>10}")
    for r in results:
        share = "1" if r["of_limit"] == 1 else f"1/{1 / r['of_limit']:.2f}"
        print(f"{r['name']:34}{r['deliveries']:>11,}{r['deliveries_per_s']:>12,.0f}{r['cpu_us_per_delivery']:>13.1f}"
              f"{r['deliveries_per_cpu_s']:>11,.0f}{share:>10}")
    print("\nwhere the time goes, CPU us per delivery by thread:")
    for r in results:
        if "threads_cpu_s" in r:
            parts = sorted(r["threads_cpu_s"].items(), key=lambda t: -t[1])
            print(f"{r['name']:34}" + "  ".join(f"{n} {1e6 * t / r['deliveries']:.1f}" for n, t in parts if t > 0.001))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of each wrk run")
    parser.add_argument("--count", type=int, default=100000, help="deliveries of each import run")
    parser.add_argument("--rounds", type=int, default=3, help="the median round, by CPU per delivery, is shown")
    options = parser.parse_args()
    subprocess.run(["tools/setup.sh", "build-bench", "bench"], cwd=ROOT, check=True)
    subprocess.run(["ninja", "-C", BUILD], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    payload = os.path.join(BUILD, "payload.json")
    with open(os.path.join(ROOT, "tests", "data", "seed-call.json"), encoding="utf-8") as f:
        body = json.dumps(json.load(f), separators=(",", ":"), ensure_ascii=False).encode()
    with open(payload, "wb") as f:
        f.write(body)
    kinds = [("limit: wrk, 32 connections", lambda run: limit(payload, options.seconds)),
             ("callhook, import, 1 webhook", lambda run: by_import(body, options.count, run, 1)),
             ("callhook, import, 10 webhooks", lambda run: by_import(body, options.count, run, 10)),
             ("callhook, PUT, 128 connections", lambda run: by_put(payload, run, options.seconds, 128))]
    rounds = {name: [] for name, _ in kinds}
    for number in range(options.rounds):
        for name, measure in kinds:
            print(f"round {number + 1}: {name}", flush=True)
            rounds[name].append(measure(number * 16 + 1))
    results = []
    for name, _ in kinds:
        middle = statistics.median_low([r["cpu_s"] / r["deliveries"] for r in rounds[name]])
        chosen = next(r for r in rounds[name] if r["cpu_s"] / r["deliveries"] == middle)
        results.append(row(name, chosen, results[0]["deliveries_per_cpu_s"] if results else None))
    table(results)
    with open(os.path.join(BUILD, "results.json"), "w", encoding="utf-8") as f:
        json.dump({"payload_bytes": len(body), "rounds": options.rounds, "results": results}, f, indent=2)
    print(f"\n{os.path.join(BUILD, 'results.json')}\nIn parts (us of one step alone):")
    for name in sorted(os.listdir(os.path.join(BUILD, "bench"))):
        if name.startswith("bench_") and "." not in name:
            subprocess.run([os.path.join(BUILD, "bench", name)] + ([payload] if name == "bench_codec" else []),
                           check=True)


if __name__ == "__main__":
    main()
