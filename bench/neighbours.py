"""A healthy webhook beside what must not touch it: as many hung receivers as the file limit allows, and a backlog of a
million. Each is measured on two services at once, one with and one without the neighbour, in turns."""
import resource
import statistics
import time

import calls
from machine import cpu_by_thread
from scenario import Scenario
from services import Callhook, Receiver, until
from steady import add_memory, steady

HEALTHY, SICK = calls.agent(1), calls.agent(2)
TURNS = 3
HUNG_HOSTS = 50  # addresses that the hung webhooks share: a listener is a file too
# Of the 60 s after which the hung requests end: until the timers of their connections are past, and to measure rest.
SETTLE_SECONDS, REST_SECONDS = 6, 5
COLUMNS = [("p50_ms", "receipt p50 ms", ".2f"), ("p99_ms", "p99 ms", ".2f"), ("max_ms", "max ms", ".1f"),
           ("p99_times", "p99 x", ".2f"), ("cpu_us", "CPU us a call", ".0f"), ("cpu_times", "CPU x", ".2f"),
           ("private_mib", "private MiB", ".1f"), ("rss_mib", "RSS MiB", ".1f"), ("held", "hung", ",.0f"),
           ("kb_each", "KB each", ".1f"), ("rest_cpu_percent", "CPU % at rest", ".3f"),
           ("backlog", "backlog", ",.0f")]


def healthy_file(body):
    return calls.payload_file(calls.with_agent(body, HEALTHY), "healthy")


class Pair:
    """Two services with the same settings and a healthy webhook each; the neighbour comes to `beside`."""

    def __init__(self, body, *options):
        self.payload = healthy_file(body)
        self.well = [Receiver(), Receiver()]
        self.alone, self.beside = Callhook(*options), Callhook(*options)
        for callhook, receiver in zip((self.alone, self.beside), self.well):
            callhook.webhook(receiver.urls[0], agentIds=[HEALTHY])
            steady(callhook, receiver, self.payload, 1000, 1)

    def turns(self, rate, seconds, count=TURNS):
        """Windows in turns; of each side, the median of every figure."""
        alone, beside = [], []
        for _ in range(count):
            alone.append(steady(self.alone, self.well[0], self.payload, rate, seconds))
            beside.append(steady(self.beside, self.well[1], self.payload, rate, seconds))
        return [{key: statistics.median(row[key] for row in rows) for key, value in rows[0].items()
                 if isinstance(value, (int, float))} for rows in (alone, beside)]

    def close(self):
        for each in (self.alone, self.beside, *self.well):
            each.close()


def compare(alone, beside):
    beside["p99_times"] = beside["p99_ms"] / alone["p99_ms"]
    beside["cpu_times"] = beside["cpu_us"] / alone["cpu_us"]


# ---- hung receivers ----

def open_windows(callhook, body, settings):
    """The receivers answer late, but answer, until as many are in flight as the windows allow at most. What has waited
    for two seconds counts as slow, and slow ones share half of --max-in-flight: to have more than that hang at once,
    they must all be under way, on connections that are open, the moment that the receivers stop answering."""
    target = settings.hung_webhooks * settings.hung_window
    run, made, in_flight = calls.new_run(), 0, 0
    piece = max(8, 32000 // settings.hung_webhooks)
    end = time.monotonic() + 60
    while in_flight < target * 0.95 and time.monotonic() < end:
        if callhook.metric('callhook_ledger_deliveries{state="pending"}') < 4 * target:
            callhook.import_calls(calls.chunks(body, run, piece, [SICK], made))
            made += piece
        in_flight = callhook.metric("callhook_in_flight")
        time.sleep(0.05)


def fill(sick, callhook):
    """Waits until no more come, and none is on its way: they come in bursts, with seconds in between."""
    seen = []

    def is_steady():
        seen.append(sick.stats()["held"])
        is_still = len(seen) > 6 and seen[-1] > 0 and seen[-1] == seen[-7]
        return is_still and callhook.metric("callhook_in_flight") <= seen[-1]

    until(is_steady, "hung requests to be no more", 0.5, 40)
    return seen[-1]


def hung(body, settings):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = min(settings.hung_webhooks * settings.hung_window + 800, files - 1000)
    sick = Receiver(min(HUNG_HOSTS, settings.hung_webhooks), delay_ms=1200)
    pair = Pair(body, "--max-in-flight", str(most), "--max-webhooks", str(settings.hung_webhooks + 8))
    for i in range(settings.hung_webhooks):
        pair.beside.webhook(f"{sick.urls[i % len(sick.urls)]}/{i}", agentIds=[SICK],
                            concurrency=settings.hung_window, timeout=60)
    before_kb = pair.beside.memory()["private_kb"]
    open_windows(pair.beside, body, settings)
    sick.set(hang=1)
    held = fill(sick, pair.beside)
    memory, queued_kb = pair.beside.memory(), pair.beside.metric("callhook_held_body_bytes") / 1024
    time.sleep(SETTLE_SECONDS)
    # Nothing is asked of it meanwhile, /metrics neither.
    rest = sum(cpu_by_thread(pair.beside.pid).values())
    time.sleep(REST_SECONDS)
    rest = sum(cpu_by_thread(pair.beside.pid).values()) - rest
    alone, beside = pair.turns(settings.rate, 4)
    still = sick.stats()["held"]
    compare(alone, beside)
    beside.update(held=min(held, still), held_before=held, held_after=still, max_in_flight=most,
                  file_limit=files, kb_each=(memory["private_kb"] - before_kb) / max(held, 1),
                  queued_bodies_kb=queued_kb, rest_cpu_percent=rest / REST_SECONDS * 100)
    pair.close()
    sick.close()
    return {"healthy, alone": alone, "healthy, beside hung receivers": beside}


def hung_scenario(body, settings):
    columns = [c for c in COLUMNS if c[0] != "backlog"]
    return Scenario("hung", f"A healthy webhook at {settings.rate:,}/s beside hung receivers", columns,
                    [lambda: hung(body, settings)], once=True,
                    note="hung: the fewest held through the whole measurement; KB each: private memory over the fresh "
                         "service's, by their number; CPU at rest: with them held and nothing else to do")


# ---- a backlog ----

def backlog(body, settings):
    sick = Receiver()
    sick.set(hang=1)
    pair = Pair(body)
    pair.alone.webhook(sick.urls[0], agentIds=[SICK])
    pair.beside.webhook(sick.urls[0], agentIds=[SICK], timeout=60)
    started = time.monotonic()
    pair.beside.import_calls(calls.chunks(body, calls.new_run(), settings.backlog, [SICK]))
    imported = time.monotonic() - started
    after_import = add_memory({}, pair.beside.memory())
    alone, beside = pair.turns(settings.rate, 5)
    compare(alone, beside)
    pending = pair.beside.metric('callhook_ledger_deliveries{state="pending"}')
    beside.update(backlog=pending, imported_per_s=settings.backlog / imported,
                  rss_mib_after_import=after_import["rss_mib"])
    pair.close()
    sick.close()
    return {"healthy, alone": alone, "healthy, beside a backlog": beside}


def backlog_scenario(body, settings):
    columns = [c for c in COLUMNS if c[0] not in ("held", "kb_each", "rest_cpu_percent")]
    return Scenario("backlog", f"A healthy webhook at {settings.rate:,}/s beside a neighbour's backlog", columns,
                    [lambda: backlog(body, settings)], once=True,
                    note="the neighbour's endpoint takes requests and never answers; same payload")
