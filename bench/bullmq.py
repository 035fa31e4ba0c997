"""The worker that people write today: BullMQ on Redis, undici, one HMAC a job (bench/peer)."""
import json
import os
import shutil
import socket
import subprocess
import tempfile

from machine import BUILD, Meter, ROOT, memory_kb
from services import end, give_up, spawn, until

PEER = os.path.join(ROOT, "bench", "peer")
SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class Redis:
    """A Redis of its own, on a socket in its folder, that appends every write to a file."""

    def __init__(self, fsync):
        self.folder = tempfile.mkdtemp(prefix="redis-bench-", dir=BUILD)
        self.socket = os.path.join(self.folder, "redis.sock")
        self.process = spawn(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--appendonly", "yes",
             "--appendfsync", fsync, "--save", "", "--maxmemory-policy", "noeviction"], stdout=subprocess.DEVNULL)
        until(self.is_ready, "Redis", patience=20)

    def is_ready(self):
        try:
            return self.ask("PING") == "PONG"
        except OSError:
            return False

    def ask(self, command):
        """One command whose answer is one line."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.socket)
            s.sendall(command.encode() + b"\r\n")
            return s.makefile().readline()[1:].strip()

    def close(self):
        end(self.process)
        shutil.rmtree(self.folder)


class Bullmq:
    """Redis, workers and one producer. `processes` workers share `concurrency` jobs under way."""

    def __init__(self, fsync, urls, payload, run, concurrency=100, processes=1, each=False, batch=500, ca=""):
        self.redis = Redis(fsync)
        share = max(1, concurrency // processes)
        connection = {"path": self.redis.socket, "maxRetriesPerRequest": None}
        worker = {"redis": connection, "concurrency": share, "connections": share, "secret": SECRET, "ca": ca}
        producer = {"redis": connection, "urls": urls, "payload": payload, "run": run, "batch": batch, "each": each,
                    "atOnce": 128, "backoffMs": 1000}
        self.nodes = [self.node("worker.mjs", worker) for _ in range(processes)]
        self.producer = self.node("producer.mjs", producer)
        for node in [*self.nodes, self.producer]:
            if node.stdout.readline() != "ready\n":
                give_up("the BullMQ worker did not start")

    def node(self, script, conf):
        return spawn(["node", os.path.join(PEER, script), json.dumps(conf)], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, env={**os.environ, "NODE_ENV": "production"})

    def add(self, count):
        """Starts adding in bulk; the producer says "added" when it is through."""
        self.producer.stdin.write(f"{count}\n")
        self.producer.stdin.flush()

    def is_empty(self):
        """Nothing under way or waiting: BullMQ has recorded every result."""
        return all(self.redis.ask(f"{ask} bull:webhooks:{key}") == "0"
                   for ask, key in (("LLEN", "active"), ("LLEN", "wait"), ("ZCARD", "delayed")))

    def wait_recorded(self):
        until(self.is_empty, "BullMQ's queue to be empty")

    def pids(self):
        workers = {f"worker {i + 1}": node.pid for i, node in enumerate(self.nodes)}
        return {"redis": self.redis.process.pid, **workers, "producer": self.producer.pid}

    def meter(self):
        return Meter(self.pids())

    def memory(self):
        parts = {name: memory_kb(pid) for name, pid in self.pids().items()}
        return {key: sum(part[key] for part in parts.values()) for key in ("private_kb", "rss_kb")}

    def close(self):
        for node in [*self.nodes, self.producer]:
            end(node)
        self.redis.close()


def needs():
    """Why the peer can't run here, or nothing."""
    if not shutil.which("redis-server") or not shutil.which("node"):
        return "redis-server or node is missing: tools/deps.sh peer"
    if not os.path.exists(os.path.join(PEER, "node_modules", "bullmq")):
        return "its packages are missing: tools/deps.sh peer"
    return ""
