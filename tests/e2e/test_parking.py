"""The switch of a webhook: off by hand or by a 410, what waits meanwhile, and what goes out again."""
import json
import re
import threading
import time

import pytest

from conftest import PATIENCE, some_call

MANY = 1300  # more than two of the chunks in which rows follow the switch


def webhook(service, which):
    return service.request("GET", f"/v1/webhooks/{which}").json()


def switch(service, which, way, body=None):
    answer = service.request("POST", f"/v1/webhooks/{which}/{way}", body)
    assert answer.status == 200, answer.body
    return answer.json()


def import_calls(service, count):
    calls = [some_call() for _ in range(count)]
    lines = "\n".join(json.dumps(c) for c in calls).encode()
    answer = service.request("POST", "/v1/calls/import", lines, {"Content-Type": "application/x-ndjson"})
    assert [json.loads(line)["status"] for line in answer.body.splitlines()] == [201] * count
    return {c["id"] for c in calls}


def ledger(service):
    text = service.request("GET", "/metrics").body.decode()
    return {state: int(n) for state, n in re.findall(r'^callhook_ledger_deliveries\{state="(\w+)"\} (\d+)$', text, re.M)}


def wait_ledger(service, wanted):
    until = time.monotonic() + PATIENCE
    while (found := ledger(service)) != wanted:
        assert time.monotonic() < until, found


def received(receiver, count):
    """The calls of the next `count` requests; each delivery may come once."""
    got = [receiver.next() for _ in range(count)]
    assert len({g.headers["webhook-id"] for g in got}) == count
    return {json.loads(g.body)["id"] for g in got}


def wait_parked(service, which, count):
    return service.wait_for(f"/v1/webhooks/{which}", lambda w: w["parked"] == count)


def test_a_410_switches_off_and_parks(service, receiver):
    hook, _ = service.webhook(receiver.url())
    receiver.answers.put((410, {}, b"gone"))
    first, second = some_call(), some_call()
    service.put(first)
    receiver.next()
    delivery = service.wait_delivery(first["id"], "PARKED")
    shown = service.wait_for(f"/v1/webhooks/{hook}", lambda w: not w["enabled"])
    assert shown["state"] == "DISABLED" and "410" in shown["reason"]
    assert shown["parked"] == 1 and delivery["reason"]
    service.put(second)
    service.wait_delivery(second["id"], "PARKED")
    assert receiver.got.empty()

    shown = switch(service, hook, "enable", {"deliverParked": True})
    assert (shown["enabled"], shown["state"], shown["reason"]) == (True, "READY", None)
    assert received(receiver, 2) == {first["id"], second["id"]}
    for call in (first, second):
        service.wait_delivery(call["id"], "DELIVERED")
    assert wait_parked(service, hook, 0)["state"] == "READY"


def test_what_was_parked_goes_out_when_asked_for_and_only_then(service, receiver):
    hook, _ = service.webhook(receiver.url())
    assert switch(service, hook, "disable")["state"] == "DISABLED"
    parked = import_calls(service, MANY)
    wait_parked(service, hook, MANY)
    assert switch(service, hook, "enable")["state"] == "READY"
    fresh = some_call()
    service.put(fresh)
    assert received(receiver, 1) == {fresh["id"]}
    service.wait_delivery(fresh["id"], "DELIVERED")
    assert webhook(service, hook)["parked"] == MANY
    assert ledger(service) == {"pending": 0, "delivered": 1, "failed": 0, "parked": MANY, "canceled": 0}

    switch(service, hook, "enable", {"deliverParked": True})
    # Another change in the middle of it does not end it.
    assert service.request("PATCH", f"/v1/webhooks/{hook}", {"name": "other"},
                           {"Content-Type": "application/merge-patch+json"}).status == 200
    assert received(receiver, MANY) == parked
    wait_parked(service, hook, 0)
    wait_ledger(service, {"pending": 0, "delivered": MANY + 1, "failed": 0, "parked": 0, "canceled": 0})
    assert receiver.got.empty()


def test_switching_off_parks_a_backlog_and_a_patch_is_a_switch(make_service, receiver):
    service = make_service("--dev").start()
    receiver.answers.put((429, {"Retry-After": "3600"}, b""))
    hook, _ = service.webhook(receiver.url())
    service.put(some_call())
    receiver.next()
    service.wait_for(f"/v1/webhooks/{hook}", lambda w: w["state"] == "SUSPENDED")
    import_calls(service, MANY)
    answer = service.request("PATCH", f"/v1/webhooks/{hook}", {"enabled": False},
                             {"Content-Type": "application/merge-patch+json"})
    assert answer.status == 200 and answer.json()["state"] == "DISABLED"
    wait_parked(service, hook, MANY + 1)
    assert ledger(service)["pending"] == 0
    assert service.request("DELETE", f"/v1/webhooks/{hook}").status == 204
    wait_ledger(service, {"pending": 0, "delivered": 0, "failed": 0, "parked": 0, "canceled": MANY + 1})
    assert receiver.got.empty()


@pytest.mark.threads
def test_a_kill_in_the_middle_of_a_release_loses_and_forgets_nothing(make_service, receiver):
    service = make_service("--dev").start()
    hook, _ = service.webhook(receiver.url())
    switch(service, hook, "disable")
    parked = import_calls(service, MANY)
    switch(service, hook, "enable", {"deliverParked": True})
    service.kill()
    service.start()
    got = set()
    while got != parked:
        got.add(json.loads(receiver.next().body)["id"])
    wait_parked(service, hook, 0)
    wait_ledger(service, {"pending": 0, "delivered": MANY, "failed": 0, "parked": 0, "canceled": 0})


def test_an_answer_that_was_under_way_still_counts(service, receiver):
    hook, _ = service.webhook(receiver.url())
    release = threading.Event()
    receiver.answers.put((200, {}, lambda: release.wait(PATIENCE) and b"late"))
    call = some_call()
    service.put(call)
    receiver.next()
    switch(service, hook, "disable")
    wait_parked(service, hook, 1)
    release.set()
    assert service.wait_delivery(call["id"], "DELIVERED")["attemptCount"] == 1
    assert wait_parked(service, hook, 0)["state"] == "DISABLED"
    assert receiver.got.empty()
