"""The processes that take part: receivers, callhook, and the generators of load."""
import array
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

from machine import BUILD, Meter, ROOT, cpu_by_thread, memory_kb

KEY = "bench-key-0123456789abcdef"
PATIENCE = 120  # seconds until a measurement that waits for something is given up

_running = []


class GaveUp(Exception):
    """A measurement that can't be finished; the others go on."""


def give_up(words):
    raise GaveUp(words)


def spawn(command, **how):
    """A process that `kill_all` ends, should nobody else."""
    process = subprocess.Popen(command, text=True, **how)
    _running.append(process)
    return process


def end(process):
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    _running.remove(process)


def kill_all():
    for process in list(_running):
        end(process)


def get(url, timeout=120):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read()


def until(condition, what, pause=0.02, patience=PATIENCE):
    """Polls until the condition is true, and returns it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(pause)
    return give_up(f"waited {patience} s in vain for {what}")


class Receiver:
    """One process with endpoints on so many loopback addresses (bench/receiver.c)."""

    def __init__(self, hosts=1, tls=None, delay_ms=0, fail=0):
        command = [os.path.join(BUILD, "bench", "receiver"), "-n", str(hosts)] + (["-t", tls] if tls else [])
        self.process = spawn(command, stdout=subprocess.PIPE)
        self.port, control = (int(n) for n in self.process.stdout.readline().split())
        self.control = f"http://127.0.0.1:{control}"
        scheme = "https" if tls else "http"
        addresses = [f"127.0.{(i + 1) // 256}.{(i + 1) % 256}" for i in range(hosts)]
        self.urls = [f"{scheme}://{a}:{self.port}/hooks/calls" for a in addresses]
        if delay_ms or fail:
            self.set(delay_ms=delay_ms, fail=fail)

    def stats(self):
        return json.loads(get(f"{self.control}/stats"))

    def set(self, **settings):
        query = "&".join(f"{name}={value}" for name, value in settings.items())
        return json.loads(get(f"{self.control}/set?{query}"))

    def wait(self, count):
        """Until so many were answered with 200; returns when the last one was, on the clock of time.monotonic_ns."""
        return until(lambda: self.stats()["answered"] >= count, f"{count} deliveries", 0.05) and \
            self.stats()["last_ns"]

    def record(self, run, count):
        get(f"{self.control}/record?run={run}&count={count}")

    def receipts(self):
        """When each call of the run came first, monotonic ns; 0: never."""
        return array.array("q", get(f"{self.control}/receipts"))

    def close(self):
        end(self.process)


class Callhook:
    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="callhook-bench-", dir=BUILD)
        started = time.monotonic()
        self.log = open(f"{self.folder}/serve.log", "wb")
        self.process = spawn(
            [os.path.join(BUILD, "callhook"), "serve", "--dev", "--listen", "127.0.0.1:0", "--store",
             f"sqlite:{self.folder}/bench.db", "--log-level", "error", "--grace", "2", *options],
            stdout=subprocess.PIPE, stderr=self.log, env={**os.environ, "CALLHOOK_API_KEY": KEY, "CALLHOOK_RATE_LIMIT": "off"})
        for line in self.process.stdout:
            ready = re.search(r"ready on (http://[\d.]+:(\d+))", line)
            if ready:
                self.ready_ms = (time.monotonic() - started) * 1000
                self.url, self.port, self.pid = ready.group(1), int(ready.group(2)), self.process.pid
                return
        with open(f"{self.folder}/serve.log", encoding="utf-8") as f:
            give_up("callhook did not start: " + f.read())

    def post(self, path, body, kind="application/json"):
        request = urllib.request.Request(self.url + path, body, {"X-Api-Key": KEY, "Content-Type": kind}, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read()

    def webhook(self, url, **settings):
        made = json.loads(self.post("/v1/webhooks", json.dumps({"url": url, **settings}).encode()))["id"]
        self.post(f"/v1/webhooks/{made}/secret", b"")
        return made

    def import_calls(self, chunks):
        for chunk in chunks:
            answer = self.post("/v1/calls/import", chunk, "application/x-ndjson")
            if answer.count(b'"status":201') != chunk.count(b"\n") + 1:
                give_up("a line of the import was not accepted: " + answer[:300].decode())

    def metrics(self):
        return get(self.url + "/metrics").decode()

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)", self.metrics(), re.M)
        return float(found.group(1)) if found else 0.0

    def delivered(self):
        return self.metric('callhook_ledger_deliveries{state="delivered"}')

    def wait_recorded(self, count):
        """Until the store has the result of every delivery: part of the work, so part of the measurement."""
        until(lambda: self.delivered() >= count, "results in the store")

    def meter(self):
        return CallhookMeter(self)

    def memory(self):
        return memory_kb(self.pid)

    def close(self):
        end(self.process)
        self.log.close()
        shutil.rmtree(self.folder)


class CallhookMeter(Meter):
    """CPU of the process, and by its threads."""

    def __init__(self, callhook):
        super().__init__({"callhook": callhook.pid})
        self.threads_before = cpu_by_thread(callhook.pid)

    def threads(self):
        now = cpu_by_thread(self.pids["callhook"])
        return {name: seconds - self.threads_before.get(name, 0) for name, seconds in now.items()}


def wrk(script, url, connections, seconds, environment):
    """Runs wrk on one thread; returns (requests, wall seconds, CPU seconds of wrk)."""
    before = os.times()
    done = subprocess.run(["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s",
                           os.path.join(ROOT, "bench", script), url],
                          capture_output=True, text=True, check=True, env={**os.environ, **environment})
    after = os.times()
    requests, wall = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout).groups()
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if bad:
        give_up(f"{bad.group(1)} requests failed: {done.stdout}")
    return int(requests), float(wall), \
        after.children_user + after.children_system - before.children_user - before.children_system


def load(callhook, payload, run, rate, seconds):
    """PUTs at a fixed rate; returns load.c's report."""
    done = subprocess.run([os.path.join(BUILD, "bench", "load"), "-p", str(callhook.port), "-r", str(rate), "-s",
                           str(seconds), "-f", payload, "-k", KEY, "-n", run],
                          stdout=subprocess.PIPE, text=True, check=False, timeout=seconds + 60)
    if done.returncode != 0:
        give_up(f"the generator of load failed: {done.stdout}")
    return json.loads(done.stdout)


def load_lines(rate, seconds, into):
    """The numbers of calls, each when it is due, into a pipe; returns load.c's report."""
    done = subprocess.run([os.path.join(BUILD, "bench", "load"), "-l", "-r", str(rate), "-s", str(seconds)],
                          stdout=into, stderr=subprocess.PIPE, text=True, check=True, timeout=seconds + 60)
    return json.loads(done.stderr)
