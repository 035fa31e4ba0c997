"""A stretch of time is sent again: a durable job, the same ids, the same bytes."""
import pytest

from conftest import some_call

PAST = "2020-01-01T00:00:00Z"


def replay(service, hook, **body):
    return service.request("POST", f"/v1/webhooks/{hook}/replay", {"from": PAST, **body})


def wait_done(service, answer):
    assert answer.status == 202, answer.body
    place = answer.headers["location"]
    assert place == "/v1/replays/" + answer.json()["id"]
    return service.wait_for(place, lambda job: job["state"] != "RUNNING")


@pytest.mark.threads
def test_what_was_delivered_is_sent_again_as_it_was(service, receiver):
    hook, _ = service.webhook(receiver.url())
    calls = [some_call(summary=str(i)) for i in range(5)]
    for call in calls:
        service.put(call)
    first = {m.headers["webhook-id"]: m.body for m in (receiver.next() for _ in calls)}
    for call in calls:
        service.wait_delivery(call["id"], "DELIVERED")
    job = wait_done(service, replay(service, hook, states=["DELIVERED"]))
    assert (job["state"], job["resent"], job["examined"], job["total"]) == ("DONE", 5, 5, 5)
    assert {m.headers["webhook-id"]: m.body for m in (receiver.next() for _ in calls)} == first


def test_missing_brings_calls_from_before_the_webhook(service, receiver):
    calls = [some_call(), some_call(status="REJECTED"), some_call(status="FAILED")]
    for call in calls:
        service.put(call)
    hook, _ = service.webhook(receiver.url())
    job = wait_done(service, replay(service, hook, missing=True))
    assert (job["made"], job["resent"]) == (2, 0)
    assert {receiver.next().body for _ in range(2)} == {
        service.request("GET", f"/v1/calls/{c['id']}").body for c in (calls[0], calls[2])}
    assert wait_done(service, replay(service, hook, missing=True))["made"] == 0


def test_a_replay_goes_on_after_a_crash(make_service, receiver):
    service = make_service("--dev").start()
    calls = [some_call() for _ in range(6)]
    for call in calls:
        service.put(call)
    hook, _ = service.webhook(receiver.url())
    answer = replay(service, hook, missing=True, rate=2)
    assert answer.status == 202
    receiver.next()
    service.kill()
    service.start()
    job = service.wait_for(answer.headers["location"], lambda job: job["state"] == "DONE")
    assert job["made"] == 6
    for call in calls:
        service.wait_delivery(call["id"], "DELIVERED")


def test_one_at_a_time_and_canceled(service, receiver):
    for _ in range(4):
        service.put(some_call())
    hook, _ = service.webhook(receiver.url())
    answer = replay(service, hook, missing=True, rate=1)
    again = replay(service, hook)
    assert again.status == 409 and "under way" in again.json()["detail"]
    job = service.request("DELETE", answer.headers["location"]).json()
    assert (job["state"], job["reason"]) == ("CANCELED", "it was asked to stop")
    listed = service.request("GET", f"/v1/replays?webhookId={hook}").json()["content"]
    assert [j["id"] for j in listed] == [job["id"]]


@pytest.mark.parametrize("body,pointer", [
    ({"from": None}, "/from"), ({"to": PAST}, "/to"), ({"rate": 0}, "/rate"), ({"rate": 10001}, "/rate"),
    ({"states": []}, "/states"), ({"states": ["CANCELED"]}, "/states/0"),
    ({"callStatuses": ["IN_PROGRESS"]}, "/callStatuses/0"), ({"missing": 1}, "/missing"), ({"rates": 1}, "/rates")])
def test_bad_input_is_named(service, receiver, body, pointer):
    hook, _ = service.webhook(receiver.url())
    answer = replay(service, hook, **body)
    assert answer.status == 400
    assert pointer in [e["pointer"] for e in answer.json()["errors"]]
    assert service.request("GET", "/v1/replays").json()["content"] == []


def test_a_webhook_that_is_off_or_unknown_is_refused(service, receiver):
    hook, _ = service.webhook(receiver.url(), enabled=False)
    assert replay(service, hook).status == 409
    assert replay(service, some_call()["id"]).status == 404
    assert service.request("GET", f"/v1/replays/{hook}").status == 404
