"""What an endpoint's lane does, as a customer sees it: SUSPENDED, DEAD, the rate limit, and what ends them."""
import datetime
import json
import re
import sqlite3
import threading

from conftest import PATIENCE, some_call


def fails(receiver, count, status=500):
    for _ in range(count):
        receiver.answers.put((status, {}, b"no"))


def heals(receiver):
    while not receiver.answers.empty():
        receiver.answers.get_nowait()


def drain(receiver):
    while not receiver.got.empty():
        receiver.next()


def put_many(service, count):
    calls = [some_call() for _ in range(count)]
    for call in calls:
        assert service.put(call).status == 201
    return {c["id"] for c in calls}


def received(receiver, count):
    return {json.loads(receiver.next().body)["id"] for _ in range(count)}


def wait_state(service, hook, state):
    return service.wait_for(f"/v1/webhooks/{hook}", lambda w: w["state"] == state)


def patch(service, hook, **settings):
    answer = service.request("PATCH", f"/v1/webhooks/{hook}", settings,
                             {"Content-Type": "application/merge-patch+json"})
    assert answer.status == 200, answer.body
    return answer.json()


def pending(service, hook):
    return service.request("GET", f"/v1/deliveries?size=100&state=PENDING&webhookId={hook}").json()["content"]


def wait_pending(service, hook, count):
    """Until so many wait and the results of the rest are written."""
    return service.wait_for(f"/v1/deliveries?size=100&state=PENDING&webhookId={hook}",
                            lambda page: len(page["content"]) == count)["content"]


def seconds_from_now(moment):
    at = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return (at - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def lanes(service):
    text = service.request("GET", "/metrics").body.decode()
    return {state: int(n) for state, n in re.findall(r'^callhook_lanes\{state="(\w+)"\} (\d+)$', text, re.M)}


def others_get_theirs(service, make_receiver):
    """A call that another endpoint has received: whatever was to happen before it has happened."""
    other = make_receiver()
    service.webhook(other.url())
    call = some_call()
    service.put(call)
    assert json.loads(other.next().body)["id"] == call["id"]
    service.wait_for(f"/v1/deliveries?callId={call['id']}&state=DELIVERED", lambda page: page["content"])


def test_a_receiver_that_asks_for_quiet_gets_it_over_a_restart_too(make_service, receiver, make_receiver):
    service = make_service("--dev").start()
    hook, _ = service.webhook(receiver.url())
    receiver.answers.put((429, {"Retry-After": "3600"}, b"slow down"))
    put_many(service, 1)
    receiver.next()
    for _ in range(2):
        shown = wait_state(service, hook, "SUSPENDED")
        assert "429" in shown["reason"] and 3500 < seconds_from_now(shown["until"]) <= 3600 * 1.25
        put_many(service, 3)
        others_get_theirs(service, make_receiver)
        # The one that was answered is not due; the others wait for the lane.
        waits = [d["waitsFor"] for d in pending(service, hook)]
        assert any(w.startswith("SUSPENDED") and "429" in w for w in waits) and all(waits)
        assert receiver.got.empty()
        assert lanes(service)["SUSPENDED"] == 1
        service.stop()
        service.start()


def test_another_url_ends_the_quiet(service, receiver, make_receiver):
    hook, _ = service.webhook(receiver.url())
    receiver.answers.put((503, {"Retry-After": "3600"}, b""))
    put_many(service, 1)
    receiver.next()
    wait_state(service, hook, "SUSPENDED")
    calls = put_many(service, 5)
    elsewhere = make_receiver()
    shown = patch(service, hook, url=elsewhere.url())
    assert (shown["state"], shown["reason"], shown["until"]) == ("READY", None, None)
    assert received(elsewhere, 5) == calls
    assert receiver.got.empty()


def test_an_endpoint_that_is_not_there_is_dead_and_another_url_brings_it_back(make_service, make_receiver):
    closed, alive = make_receiver(), make_receiver()
    closed.close()
    service = make_service("--dev").start()
    hook, _ = service.webhook(closed.url())
    calls = put_many(service, 30)
    shown = wait_state(service, hook, "DEAD")
    assert "refused" in shown["reason"] and shown["enabled"]
    waits = [d["waitsFor"] for d in wait_pending(service, hook, 30)]
    assert any(w.startswith("DEAD") and "refused" in w for w in waits)
    attempts = sum(d["attemptCount"] for d in pending(service, hook))
    others_get_theirs(service, make_receiver)
    # The backlog is left alone: what is counted does not grow but by a probe, which is half a minute away.
    assert sum(d["attemptCount"] for d in pending(service, hook)) == attempts < 30
    text = service.request("GET", "/metrics").body.decode()
    assert re.search(r"^callhook_lane_deaths_total 1$", text, re.M)

    assert patch(service, hook, url=alive.url())["state"] == "READY"
    assert received(alive, 30 - attempts) <= calls


def test_a_probe_that_is_answered_brings_a_dead_endpoint_back(service, receiver):
    hook, _ = service.webhook(receiver.url())
    fails(receiver, 1000)
    calls = put_many(service, 20)
    shown = service.wait_for(f"/v1/webhooks/{hook}", lambda w: w["state"] == "DEAD" and w["inFlight"] == 0)
    assert "500" in shown["reason"] and 0 < seconds_from_now(shown["until"]) <= 40
    drain(receiver)
    heals(receiver)
    release = threading.Event()
    receiver.answers.put((200, {}, lambda: release.wait(PATIENCE) and b"ok"))
    probed = json.loads(receiver.next().body)["id"]
    assert probed in calls
    assert wait_state(service, hook, "PROBING")["inFlight"] == 1
    assert receiver.got.empty()
    release.set()
    wait_state(service, hook, "READY")
    text = service.request("GET", "/metrics").body.decode()
    assert re.search(r"^callhook_probes_total 1$", text, re.M)
    assert service.wait_delivery(probed, "DELIVERED")["tries"] <= 1


def test_no_more_than_the_rate_limit_arrive(service, receiver, make_receiver):
    hook, _ = service.webhook(receiver.url(), rateLimit={"count": 3, "seconds": 3600})
    calls = put_many(service, 8)
    first = received(receiver, 3)
    others_get_theirs(service, make_receiver)
    waiting = wait_pending(service, hook, 6)
    assert receiver.got.empty()
    assert all("rate limit of 3 in 3600 s" in d["waitsFor"] for d in waiting)
    # The call that the other webhook was told of waits here as the rest do.
    patch(service, hook, rateLimit=None)
    assert calls <= first | received(receiver, 6)


def test_our_own_outage_uses_up_no_tries_and_ends_when_one_answers(service, make_receiver):
    closed, alive = make_receiver(), make_receiver()
    closed.close()
    for n in range(2, 9):
        service.webhook(closed.url(f"127.0.0.{n}"), secret=False)
    put_many(service, 1)
    ready = service.wait_for("/readyz", lambda r: r["sending"] != "ok")
    assert ready["status"] == "ok" and "our own line" in ready["sending"]
    metrics = service.request("GET", "/metrics").body.decode()
    assert re.search(r"^callhook_outage 1$", metrics, re.M) and re.search(r"^callhook_outages_total 1$", metrics, re.M)

    # Five were needed to see it; of the others none has lost a try, and what comes now waits.
    put_many(service, 9)
    waiting = service.request("GET", "/v1/deliveries?size=100").json()["content"]
    assert len(waiting) == 70 and {d["state"] for d in waiting} == {"PENDING"}
    assert sum(d["tries"] for d in waiting) <= 5
    assert any("our own network" in d["waitsFor"] for d in waiting)
    spared = next(d["webhookId"] for d in waiting[-7:] if d["tries"] == 0)

    patch(service, spared, url=alive.url())
    received(alive, 10)
    service.wait_for("/readyz", lambda r: r["sending"] == "ok")
    done = service.wait_for(f"/v1/deliveries?webhookId={spared}&state=DELIVERED", lambda page: len(page["content"]) == 10)
    assert {d["tries"] for d in done["content"]} == {1}


def test_nothing_but_failures_for_five_days_switches_off(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1s,1h").start()
    hook, _ = service.webhook(receiver.url())
    fails(receiver, 4)
    put_many(service, 2)
    service.wait_for(f"/v1/deliveries?size=100&webhookId={hook}",
                     lambda page: sum(d["attemptCount"] for d in page["content"]) == 4)
    service.stop()
    with sqlite3.connect(f"{service.folder}/callhook.db") as db:
        changed = db.execute("UPDATE ledger SET streak_attempts = streak_attempts + 6, "
                             "streak_since_ms = streak_since_ms - 5 * 86400 * 1000 WHERE streak_others = 1")
        assert changed.rowcount == 1
    db.close()
    service.start()
    fails(receiver, 1)
    put_many(service, 1)
    shown = service.wait_for(f"/v1/webhooks/{hook}", lambda w: not w["enabled"])
    assert shown["state"] == "DISABLED" and "5 days" in shown["reason"]
    service.wait_for(f"/v1/deliveries?size=100&state=PARKED&webhookId={hook}", lambda page: len(page["content"]) == 3)
    metrics = service.request("GET", "/metrics").body.decode()
    assert re.search(r"^callhook_webhooks_switched_off_total 1$", metrics, re.M)
