"""Taking calls in, without a webhook that wants them; and what an import does to single PUTs beside it."""
import threading
import time

import calls
from scenario import Scenario, flow
from services import Callhook, KEY, load, wrk

COLUMNS = [("calls", "calls", ",.0f"), ("per_s", "per second", ",.0f"), ("cpu_us", "CPU us each", ".1f"),
           ("per_cpu_s", "per CPU s", ",.0f"), ("times_put", "x PUT, 128", ".1f"),
           ("accepted_p50_ms", "accept p50 ms", ".2f"), ("accepted_p99_ms", "p99 ms", ".2f")]
RATE = 500  # PUTs a second beside the import
PUTS = "PUT, 128 connections"


def row_of(meter, count, wall_ns):
    row = flow(count, wall_ns, {"callhook": sum(meter.threads().values())})
    row["calls"] = count
    row["cpu_us_threads"] = {name: seconds / count * 1e6 for name, seconds in meter.threads().items()}
    return row


def by_import(body, count):
    callhook, pieces = Callhook(), list(calls.chunks(body, calls.new_run(), count))
    meter = callhook.meter()
    callhook.import_calls(pieces)
    row = row_of(meter, count, time.monotonic_ns() - meter.started)
    callhook.close()
    return row


def by_put(payload, seconds, connections):
    callhook = Callhook()
    meter = callhook.meter()
    number, wall, _ = wrk("put.lua", callhook.url, connections, seconds,
                          {"PAYLOAD": payload, "KEY": KEY, "RUN": calls.new_run(), "AGENTS": "1"})
    row = row_of(meter, number, wall * 1e9)
    callhook.close()
    return row


def beside(body, payload, seconds, is_importing):
    """PUTs at a fixed rate, alone or while one import follows another."""
    callhook, over = Callhook(), threading.Event()

    def import_on_and_on():
        while not over.is_set():
            callhook.import_calls(calls.chunks(body, calls.new_run(), calls.IMPORT_LINES))

    importer = threading.Thread(target=import_on_and_on)
    if is_importing:
        importer.start()
    try:
        done = load(callhook, payload, calls.new_run(), RATE, seconds)
    finally:
        over.set()
        if is_importing:
            importer.join()
    callhook.close()
    return {f"accepted_{part}": done["accepted"][part] for part in ("p50_ms", "p99_ms")}


def finish(rows):
    for row in rows.values():
        if "per_cpu_s" in row and PUTS in rows:
            row["times_put"] = row["per_cpu_s"] / rows[PUTS]["per_cpu_s"]


def scenario(body, payload, settings):
    count, seconds = settings.count, settings.seconds
    kinds = [("import", lambda: by_import(body, count)),
             (PUTS, lambda: by_put(payload, seconds, 128)),
             ("PUT, 512 connections", lambda: by_put(payload, seconds, 512)),
             ("PUT, 1 connection", lambda: by_put(payload, seconds, 1)),
             (f"PUT, {RATE}/s", lambda: beside(body, payload, seconds, False)),
             (f"PUT, {RATE}/s, beside an import", lambda: beside(body, payload, seconds, True))]
    return Scenario("accept", "Calls taken in, with no webhook to send them to", COLUMNS,
                    [lambda n=n, m=m: {n: m()} for n, m in kinds], finish=finish,
                    note="x PUT: calls per CPU second as a multiple of those that come one by one")
