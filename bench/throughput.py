"""As fast as it goes: the limit, callhook and the peer."""
import re

import calls
from bullmq import Bullmq
from machine import cpu_seconds
from scenario import Scenario, flow
from services import Callhook, KEY, Receiver, until, wrk

WARM = 5000  # jobs that Node's compiler gets to see before it is measured
TRIED = [(16, 1), (50, 1), (100, 1), (200, 1), (100, 2), (200, 2)]  # concurrency, processes
COLUMNS = [("deliveries", "deliveries", ",.0f"), ("per_s", "per second", ",.0f"), ("cpu_us", "CPU us each", ".1f"),
           ("per_cpu_s", "per CPU s", ",.0f"), ("of_limit", "of the limit", ".2f"), ("times_peer", "x BullMQ", ".1f")]


def limit(payload, seconds):
    receiver = Receiver()
    requests, wall, cpu = wrk("post.lua", receiver.urls[0], 32, seconds, {"PAYLOAD": payload})
    row = flow(requests, wall * 1e9, {"wrk": cpu})
    row["receiver_cpu_s"] = cpu_seconds(receiver.process.pid)
    receiver.close()
    return row


def finish_callhook(callhook, receiver, meter, count):
    ended = receiver.wait(count)
    callhook.wait_recorded(count)
    row = flow(count, ended - meter.started, meter.spent())
    row["cpu_us_threads"] = {name: seconds / count * 1e6 for name, seconds in meter.threads().items()}
    row["receiver_cpu_s"] = cpu_seconds(receiver.process.pid)
    row.update(callhook.memory())
    callhook.close()
    receiver.close()
    return row


def make_webhooks(callhook, urls, concurrency=32, per_agent=True):
    for number, url in enumerate(urls):
        agents = [calls.agent(number)] if per_agent and len(urls) > 1 else []
        callhook.webhook(url, concurrency=concurrency, agentIds=agents)


def by_import(body, count, hosts=1, to_all=False, concurrency=32, options=(), **endpoint):
    """to_all: each call goes to every endpoint, else to one of them."""
    receiver, callhook = Receiver(hosts, **endpoint), Callhook(*options)
    make_webhooks(callhook, receiver.urls, concurrency, not to_all)
    agents = [calls.AGENT] if to_all or hosts == 1 else [calls.agent(i) for i in range(hosts)]
    number = count // hosts if to_all else count
    pieces = list(calls.chunks(body, calls.new_run(), number, agents))
    meter = callhook.meter()
    callhook.import_calls(pieces)
    return finish_callhook(callhook, receiver, meter, number * (hosts if to_all else 1))


def accepted(callhook):
    """Deliveries accepted once nothing more comes in: two equal readings."""
    seen = []

    def is_steady():
        text = callhook.metrics()
        seen.append(sum(int(n) for n in re.findall(r'^callhook_ledger_deliveries\{state="\w+"\} (\d+)', text, re.M)))
        return len(seen) > 1 and seen[-1] == seen[-2]

    until(is_steady, "the last PUTs", 0.2)
    return seen[-1]


def by_put(payload, seconds, connections, hosts=1):
    receiver, callhook = Receiver(hosts), Callhook()
    make_webhooks(callhook, receiver.urls)
    meter = callhook.meter()
    wrk("put.lua", callhook.url, connections, seconds,
        {"PAYLOAD": payload, "KEY": KEY, "RUN": calls.new_run(), "AGENTS": str(hosts)})
    return finish_callhook(callhook, receiver, meter, accepted(callhook))


def by_bullmq(payload, count, fsync, hosts=1, tuned=(100, 1), batch=500, tls=None, ca="", **endpoint):
    receiver = Receiver(hosts, tls=tls)
    peer = Bullmq(fsync, receiver.urls, payload, calls.new_run(), *tuned, batch=batch, ca=ca)
    peer.add(WARM)
    receiver.wait(WARM)
    peer.wait_recorded()
    receiver.set(**endpoint)
    meter = peer.meter()
    peer.add(count)
    ended = receiver.wait(WARM + count)
    peer.wait_recorded()
    row = flow(count, ended - meter.started, meter.spent(), asking=("producer",))
    row["receiver_cpu_s"] = cpu_seconds(receiver.process.pid)
    row.update(peer.memory(), concurrency=tuned[0], processes=tuned[1])
    peer.close()
    receiver.close()
    return row


def finish(rows):
    """Shares of the limit, and multiples of the best that the peer does anywhere here."""
    peers = [r["per_cpu_s"] for name, r in rows.items() if name.startswith("BullMQ")]
    wrk_row = rows.get("limit: wrk, 32 connections")
    for row in rows.values():
        if wrk_row:
            row["of_limit"] = row["per_cpu_s"] / wrk_row["per_cpu_s"]
        if peers:
            row["times_peer"] = row["per_cpu_s"] / max(peers)


def tuning(payload, settings):
    """Which concurrency and how many processes serve the peer best."""
    def measure(tried):
        return {f"BullMQ, {tried[0]} at once, {tried[1]} process{'es' if tried[1] > 1 else ''}":
                by_bullmq(payload, settings.peer_count // 2, "everysec", 1, tried)}

    columns = [c for c in COLUMNS if c[0] not in ("of_limit", "times_peer")]
    return Scenario("tuning", "What was tried for the BullMQ worker; the most deliveries per CPU second is kept",
                    columns, [lambda tried=tried: measure(tried) for tried in TRIED], once=True)


def best(rows):
    """The tuning's winner, as (concurrency, processes)."""
    if not rows:
        return 100, 1
    row = max(rows.values(), key=lambda r: r["per_cpu_s"])
    return row["concurrency"], row["processes"]


def scenario(body, payload, settings, tuned, has_peer):
    count, seconds, peer_count = settings.count, settings.seconds, settings.peer_count
    kinds = [
        ("limit: wrk, 32 connections", lambda: limit(payload, seconds)),
        ("callhook, import, 1 endpoint", lambda: by_import(body, count)),
        ("callhook, import, 50 endpoints", lambda: by_import(body, count, 50)),
        ("callhook, import, each call to all 50", lambda: by_import(body, count, 50, True)),
        ("callhook, PUT, 1 endpoint", lambda: by_put(payload, seconds, 128)),
        ("callhook, PUT, 50 endpoints", lambda: by_put(payload, seconds, 128, 50)),
    ]
    if has_peer:
        for fsync in ("everysec", "always"):
            kinds += [
                (f"BullMQ, {fsync}, addBulk, 1 endpoint",
                 lambda f=fsync: by_bullmq(payload, peer_count, f, 1, tuned)),
                (f"BullMQ, {fsync}, addBulk, 50 endpoints",
                 lambda f=fsync: by_bullmq(payload, peer_count, f, 50, tuned)),
                (f"BullMQ, {fsync}, add, 1 endpoint",
                 lambda f=fsync: by_bullmq(payload, peer_count, f, 1, tuned, 1)),
            ]
    return Scenario("throughput", "As fast as it goes", COLUMNS,
                    [lambda n=n, m=m: {n: m()} for n, m in kinds], finish=finish,
                    note="x BullMQ: deliveries per CPU second as a multiple of the best BullMQ row")
