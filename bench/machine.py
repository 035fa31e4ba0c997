"""What the kernel says of processes and of this machine."""
import os
import platform
import re
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build-bench")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """CPU of all threads of a process, those that ended too, and of children it has waited for (a Redis that rewrites
    its file forks for that). User and system time, to 10 ms."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(n) for n in fields[11:15]) / TICKS


def cpu_by_thread(pid):
    """CPU seconds so far by thread name."""
    threads = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as f:
                name = f.read().strip()
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as f:
                seconds = int(f.read().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue
        threads[name] = threads.get(name, 0) + seconds
    return threads


def memory_kb(pid):
    """Private memory (dirty: what only this process has, and the machine would get back) and resident memory."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        found = dict(re.findall(r"^(\w+):\s+(\d+) kB", f.read(), re.M))
    return {"private_kb": int(found["Private_Dirty"]), "rss_kb": int(found["Rss"])}


class Meter:
    """CPU seconds of named processes from its making to `spent`."""

    def __init__(self, pids):
        self.pids = pids
        self.before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        self.started = time.monotonic_ns()

    def spent(self):
        return {name: cpu_seconds(pid) - self.before[name] for name, pid in self.pids.items()}


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return "not there"
    return (done.stdout or done.stderr).strip().split("\n")[0]


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        found = re.search(r"^model name\s*: (.*)", f.read(), re.M)
    return found.group(1) if found else platform.machine()


def facts():
    with open("/proc/meminfo", encoding="utf-8") as f:
        memory = int(re.search(r"MemTotal:\s+(\d+)", f.read()).group(1))
    commit = first_line("git", "-C", ROOT, "rev-parse", "--short", "HEAD")
    dirty = subprocess.run(["git", "-C", ROOT, "status", "--porcelain", "--", "src"], capture_output=True, text=True,
                           check=False).stdout.strip()
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cores": os.cpu_count(), "cpu": cpu_model(),
            "memory_mib": memory // 1024, "kernel": platform.release(), "load_average": os.getloadavg()[0],
            "callhook": commit + (" and changes" if dirty else ""),
            "versions": {"callhook": first_line(os.path.join(BUILD, "callhook"), "version"),
                         "node": first_line("node", "--version"), "redis": first_line("redis-server", "--version"),
                         "wrk": first_line("wrk", "-v"), "python": platform.python_version()}}
