"""Sending a delivery again: a new round, the same id, the same bytes."""
import json

import pytest

from conftest import some_call


def delivery_of(service, call):
    return service.request("GET", f"/v1/deliveries?callId={call['id']}").json()["content"][0]["id"]


def resend(service, which):
    return service.request("POST", f"/v1/deliveries/{which}/resend")


def fails(receiver, count, status=500):
    for _ in range(count):
        receiver.answers.put((status, {}, b"no"))


def heals(receiver):
    while not receiver.answers.empty():
        receiver.answers.get_nowait()


def test_a_failed_one_is_sent_again_with_the_same_id_and_bytes(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1s").start()
    _, secret = service.webhook(receiver.url())
    fails(receiver, 2)
    call = some_call(summary="é")
    service.put(call)
    first = receiver.next()
    receiver.next()
    failed = service.wait_delivery(call["id"], "FAILED")
    assert (failed["round"], failed["tries"], failed["everDelivered"]) == (0, 2, False)
    answer = resend(service, failed["id"])
    assert answer.status == 202, answer.body
    shown = answer.json()
    assert shown["id"] == failed["id"] and shown["round"] == 1 and len(shown["attempts"]) >= 2
    again = receiver.next()
    assert (again.headers["webhook-id"], again.body) == (first.headers["webhook-id"], first.body)
    done = service.wait_delivery(call["id"], "DELIVERED")
    assert (done["round"], done["tries"], done["attemptCount"], done["everDelivered"]) == (1, 1, 3, True)


def test_what_was_delivered_stays_delivered_whatever_the_new_round_brings(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1s").start()
    service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    fails(receiver, 2)
    assert resend(service, which).status == 202
    receiver.next()
    shown = service.wait_for(f"/v1/deliveries/{which}", lambda d: d["attemptCount"] == 3)
    receiver.next()
    done = service.wait_for(f"/v1/deliveries/{which}", lambda d: d["state"] == "DELIVERED")
    assert (done["attemptCount"], done["everDelivered"]) == (3, True)
    assert [a["status"] for a in done["attempts"]] == [200, 500, 500]
    assert shown["round"] == 1


@pytest.mark.threads
def test_a_resend_goes_ahead_of_dead_and_its_answer_brings_the_lane_back(service, receiver):
    hook, _ = service.webhook(receiver.url())
    fails(receiver, 1000)
    calls = [some_call() for _ in range(20)]
    for call in calls:
        service.put(call)
    dead = service.wait_for(f"/v1/webhooks/{hook}", lambda w: w["state"] == "DEAD" and w["inFlight"] == 0)
    assert dead["reason"]
    while not receiver.got.empty():
        receiver.next()
    heals(receiver)
    page = service.wait_for("/v1/deliveries?size=100&state=PENDING", lambda page: len(page["content"]) == 20)["content"]
    which = page[0]
    assert resend(service, which["id"]).status == 202
    assert json.loads(receiver.next().body)["id"] == which["callId"]
    service.wait_for(f"/v1/webhooks/{hook}", lambda w: w["state"] == "READY")
    service.wait_delivery(which["callId"], "DELIVERED")


def test_a_resend_waits_while_the_receiver_asked_for_quiet(service, receiver, make_receiver):
    hook, _ = service.webhook(receiver.url())
    other = make_receiver()
    call = some_call()
    receiver.answers.put((429, {"Retry-After": "3600"}, b""))
    service.put(call)
    receiver.next()
    service.wait_for(f"/v1/webhooks/{hook}", lambda w: w["state"] == "SUSPENDED")
    which = delivery_of(service, call)
    assert resend(service, which).status == 202
    shown = service.wait_for(f"/v1/deliveries/{which}", lambda d: d["round"] == 1)
    assert shown["state"] == "PENDING" and shown["waitsFor"].startswith("SUSPENDED")
    service.webhook(other.url())
    service.put(some_call())
    other.next()
    assert receiver.got.empty()


def test_what_can_not_be_resent_says_why(service, receiver):
    hook, _ = service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    assert service.request("POST", f"/v1/webhooks/{hook}/disable").status == 200
    answer = resend(service, which)
    assert answer.status == 409 and "switched off" in answer.json()["detail"]
    assert resend(service, call["id"]).status == 404
    assert service.request("POST", f"/v1/webhooks/{hook}/enable").status == 200
    assert resend(service, which).status == 202
    receiver.next()
    service.wait_for(f"/v1/deliveries/{which}", lambda d: d["state"] == "DELIVERED" and d["round"] == 1)
