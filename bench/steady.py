"""A fixed load: how long from when a call was due to its receipt, and what a call costs when there is little to batch;
and how much doing nothing takes."""
import os
import time

import calls
from bullmq import Bullmq
from machine import cpu_by_thread
from scenario import Scenario, receipt_times
from services import Callhook, Receiver, load, load_lines, until
from throughput import WARM

COLUMNS = [("p50_ms", "receipt p50 ms", ".2f"), ("p99_ms", "p99 ms", ".2f"), ("max_ms", "max ms", ".1f"),
           ("accepted_p50_ms", "accept p50 ms", ".2f"), ("accepted_p99_ms", "p99 ms", ".2f"),
           ("cpu_us", "CPU us a call", ".0f"), ("private_mib", "private MiB", ".1f"), ("rss_mib", "RSS MiB", ".1f"),
           ("missing", "missing", ".0f")]


def add_memory(row, memory):
    row.update(private_mib=memory["private_kb"] / 1024, rss_mib=memory["rss_kb"] / 1024)
    return row


def steady(callhook, receiver, payload, rate, seconds):
    """One window of PUTs at a fixed rate, all to this receiver; a row."""
    run, count = calls.new_run(), int(rate * seconds)
    before = receiver.stats()["answered"]
    receiver.record(run, count)
    meter = callhook.meter()
    done = load(callhook, payload, run, rate, seconds)
    receiver.wait(before + count)
    until(lambda: callhook.metric("callhook_store_queued") == 0, "results in the store")
    spent = meter.spent()["callhook"]
    row = receipt_times(receiver.receipts(), done["start_ns"], rate)
    row.update(rate=rate, calls=count, cpu_us=spent / count * 1e6, generator_late_p99_ms=done["late"]["p99_ms"],
               accepted_p50_ms=done["accepted"]["p50_ms"], accepted_p99_ms=done["accepted"]["p99_ms"],
               cpu_us_threads={name: s / count * 1e6 for name, s in meter.threads().items()})
    return add_memory(row, callhook.memory())


def of_callhook(payload, settings):
    receiver, callhook = Receiver(), Callhook()
    callhook.webhook(receiver.urls[0])
    steady(callhook, receiver, payload, settings.rate, 1)
    row = steady(callhook, receiver, payload, settings.rate, settings.rate_seconds)
    callhook.close()
    receiver.close()
    return row


def of_bullmq(payload, settings, fsync, tuned):
    """queue.add for each call the moment that it is due."""
    rate, run = settings.rate, calls.new_run()
    receiver = Receiver()
    peer = Bullmq(fsync, receiver.urls, payload, run, *tuned, each=True)
    count = int(rate * settings.rate_seconds)
    for number in range(WARM):
        peer.producer.stdin.write(f"{10 ** 9 + number}\n")
    peer.producer.stdin.flush()
    receiver.wait(WARM)
    peer.wait_recorded()
    receiver.record(run, count)
    meter = peer.meter()
    done = load_lines(rate, settings.rate_seconds, peer.producer.stdin)
    # What it can't hold shows in the times; what hasn't come by then, in the receipts that are missing.
    until(lambda: receiver.stats()["answered"] >= WARM + count, "the last calls", 0.05)
    peer.wait_recorded()
    parts = {name: s / count * 1e6 for name, s in meter.spent().items()}
    row = receipt_times(receiver.receipts(), done["start_ns"], rate)
    row.update(rate=rate, calls=count, cpu_us=sum(parts.values()), cpu_us_parts=parts,
               cpu_us_without_client=sum(parts.values()) - parts["producer"],
               generator_late_p99_ms=done["late"]["p99_ms"])
    add_memory(row, peer.memory())
    peer.close()
    receiver.close()
    return row


def scenario(payload, settings, tuned, has_peer):
    variants = [lambda: {"callhook, PUT": of_callhook(payload, settings)}]
    if has_peer:
        variants += [lambda f=fsync: {f"BullMQ, {f}, add": of_bullmq(payload, settings, f, tuned)}
                     for fsync in ("everysec", "always")]
    return Scenario("steady", f"{settings.rate:,} calls a second", COLUMNS, variants, middle="p99_ms",
                    note="times from when a call was due, so that a stall counts in every call that it held up")


def at_rest(settings):
    callhook = Callhook()
    time.sleep(1)
    before = sum(cpu_by_thread(callhook.pid).values())
    time.sleep(settings.rest_seconds)
    spent = sum(cpu_by_thread(callhook.pid).values()) - before
    row = add_memory({"ready_ms": callhook.ready_ms, "cpu_percent": spent / settings.rest_seconds * 100,
                      "binary_mib": os.path.getsize(f"/proc/{callhook.pid}/exe") / 2 ** 20}, callhook.memory())
    callhook.close()
    return row


def rest_scenario(settings):
    columns = [("ready_ms", "ready after ms", ".0f"), ("private_mib", "private MiB", ".1f"),
               ("rss_mib", "RSS MiB", ".1f"), ("cpu_percent", "CPU %", ".4f")]
    return Scenario("rest", "At rest, an empty store", columns, [lambda: {"callhook": at_rest(settings)}],
                    middle="ready_ms")
