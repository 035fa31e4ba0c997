#!/usr/bin/env python3
"""Builds and runs every test; the last line is `N passed, N failed`.

Steps: all C tests and the fuzz corpora under AddressSanitizer and UndefinedBehaviorSanitizer; the threaded ones again
under ThreadSanitizer; the end-to-end tests against the real binary; the page in a browser. `--long` runs what is too long for every day.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = str(os.cpu_count() or 2)
CMOCKA_PASSED = re.compile(r"\[  PASSED  \] (\d+) test\(s\)")
CMOCKA_FAILED = re.compile(r"\[  FAILED  \] (\d+) test\(s\), listed below")
TAP = re.compile(r"^# (pass|fail|cancelled|skipped|todo) (\d+)$", re.M)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.complaints = []

    def add(self, name, passed, failed):
        self.passed += passed
        self.failed += failed
        if failed or not passed:
            self.complaints.append(f"{name}: {passed} passed, {failed} failed")
        print(f"   {name}: {passed} passed, {failed} failed", flush=True)


def run(command, **kwargs):
    print("$ " + " ".join(command), flush=True)
    return subprocess.run(command, cwd=ROOT, **kwargs).returncode


def build(directory, kind):
    if run(["tools/setup.sh", directory, kind]) or run(["ninja", "-C", directory, "-j", JOBS]):
        print(f"{directory}: the build failed")
        print("0 passed, 1 failed")
        sys.exit(1)


def count_output(result, text):
    """Tests inside one test program; a program that says nothing of its tests is one test itself."""
    passed = sum(map(int, CMOCKA_PASSED.findall(text)))
    failed = sum(map(int, CMOCKA_FAILED.findall(text)))
    for good, bad in PLAIN.findall(text):
        passed += int(good)
        failed += int(bad)
    if result == "OK":
        return max(passed, 1), failed
    return passed, max(failed, 1)


def meson_tests(tally, directory, arguments, environment):
    """`meson test` and the counts out of its log. A step that runs no test has failed."""
    log = os.path.join(ROOT, directory, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    run(["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs", "--num-processes", JOBS] + arguments,
        env={**os.environ, **environment})
    ran = 0
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                entry = json.loads(line)
                text = (entry.get("stdout") or "") + (entry.get("stderr") or "")
                tally.add(f"{directory} {entry['name']}", *count_output(entry["result"], text))
                ran += 1
    if ran == 0:
        tally.add(f"{directory} (no test ran)", 0, 1)


LONG = (
    ("simulation, memory", ["sim/sim", "--fresh", "--count", "200", "--steps", "20000"]),
    ("simulation, sqlite", ["sim/sim", "--fresh", "--count", "40", "--steps", "4000", "--sqlite"]),
    ("simulation, power cuts", ["sim/sim", "--fresh", "--count", "40", "--steps", "4000", "--sqlite", "--power"]),
    ("simulation, a million", ["sim/sim", "--fresh", "--deliveries", "1000000"]),
    ("power cuts, short script", ["power/power", "--fresh", "--script", "short", "--seeds", "64"]),
    ("power cuts, upgrade", ["power/power", "--fresh", "--script", "upgrade", "--seeds", "64"]),
    ("power cuts, long script", ["power/power", "--fresh", "--script", "long", "--every", "3", "--seeds", "6"]),
    ("torture, model", ["torture/torture_model", "--long"]),
    ("torture, store", ["torture/torture_store", "--long"]),
    ("torture, delivery", ["torture/torture_delivery", "--long"]),
    ("torture, api", ["torture/torture_api", "--long"]),
    ("torture, cli", ["torture/torture_cli", "--long"]),
)


def long_tests(tally):
    """Fresh seeds, which each program prints, so that one that fails can be run again."""
    for name, (program, *arguments) in LONG:
        failed = run(["build-asan/tests/" + program] + arguments, env={**os.environ, **SANITIZER})
        tally.add(f"long, {name}", int(not failed), int(bool(failed)))


def pytest_tests(tally, binary, name, arguments):
    report = os.path.join(ROOT, "build-asan", f"pytest-{name}.xml")
    if os.path.exists(report):
        os.unlink(report)
    run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", report] + arguments,
        env={**os.environ, "CALLHOOK": os.path.join(ROOT, binary), **SANITIZER})
    if not os.path.exists(report):
        tally.add(f"{name} (no report)", 0, 1)
        return
    suite = ET.parse(report).getroot().find("testsuite")
    total, bad = int(suite.get("tests")), int(suite.get("failures")) + int(suite.get("errors"))
    skipped = int(suite.get("skipped"))
    tally.add(name, total - bad - skipped, bad + skipped)


def page_tests(tally, binary):
    """The settings page in a browser; Node's own runner writes TAP, whose last lines count."""
    tests = sorted(os.path.relpath(path, os.path.join(ROOT, "web"))
                   for path in glob.glob(os.path.join(ROOT, "web", "tests", "*.test.mjs")))
    command = ["node", "--test", "--test-reporter=tap"] + tests
    print("$ " + " ".join(command), flush=True)
    run = subprocess.run(command, cwd=os.path.join(ROOT, "web"), stdout=subprocess.PIPE, text=True, check=False,
                         env={**os.environ, "CALLHOOK": os.path.join(ROOT, binary),
                              "CALLHOOK_SCREENSHOTS": os.path.join(ROOT, "build-asan", "screenshots"), **SANITIZER})
    counts = {name: int(n) for name, n in TAP.findall(run.stdout)}
    good = counts.get("pass", 0)
    bad = sum(counts.get(name, 0) for name in ("fail", "cancelled", "skipped", "todo"))
    if run.returncode != 0:
        bad = max(bad, 1)
        print(run.stdout)
    tally.add("page", good, bad)


# The C tests in which more than one thread runs.
THREADED = ["base", "store_clients", "store_faults_threads", "delivery", "api_accounts"]

SANITIZER = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tools/tsan.supp",
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true", help="more seeds and rounds, up to some hours")
    parser.add_argument("--only", choices=["c", "tsan", "e2e", "page"], help="one of the steps")
    options = parser.parse_args()
    started = time.time()
    tally = Tally()

    build("build-asan", "asan")
    if options.only in (None, "c"):
        meson_tests(tally, "build-asan", ["--timeout-multiplier", "4"], SANITIZER)
    if options.long:
        long_tests(tally)
    if options.only in (None, "tsan"):
        build("build-tsan", "tsan")
        meson_tests(tally, "build-tsan", THREADED + ["--timeout-multiplier", "8"], SANITIZER)
    if options.only in (None, "e2e"):
        pytest_tests(tally, "build-asan/callhook", "e2e", ["tests/e2e"])
        pytest_tests(tally, "build-asan/callhook", "crash",
                     ["tests/crash"] + (["--kills", "2000"] if options.long else []))
        if os.path.exists(os.path.join(ROOT, "build-tsan/callhook")):
            pytest_tests(tally, "build-tsan/callhook", "e2e-tsan", ["tests/e2e", "-m", "threads"])
            pytest_tests(tally, "build-tsan/callhook", "crash-tsan",
                         ["tests/crash", "-m", "threads", "--kills", "30"])
    if options.only in (None, "page"):
        page_tests(tally, "build-asan/callhook")

    print(f"in {time.time() - started:.0f} s")
    for complaint in tally.complaints:
        print("FAILED " + complaint)
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(1 if tally.failed or not tally.passed else 0)


if __name__ == "__main__":
    main()
