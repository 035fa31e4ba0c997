"""Operational events: signed news of callhook's own, to an account's eventsUrl and to the operator's --events-url."""
import json
import re
import subprocess
import threading

import pytest

import openapi_answers
from conftest import API_KEY, BINARY, PATIENCE, some_call
from test_accounts import create, operator, wait_until_taken
from test_first_webhook import signature_hex, signature_standard

OPERATOR_SECRET = "whsec_" + "QUJD" * 11
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def set_events(service, url, key=API_KEY):
    answer = service.request("PATCH", "/v1/account", {"eventsUrl": url}, key=key)
    assert answer.status == 200, answer.body
    assert answer.headers["cache-control"] == "no-store" and answer.json()["eventsUrl"] == url
    return answer.json()["eventsSecret"]


def read_event(got, secret):
    """Checks the signatures as a receiver does, and what all events have."""
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-webhook-signature"] == signature_hex(secret, got.body)
    assert got.headers["webhook-signature"] == signature_standard(
        secret, got.headers["webhook-id"], got.headers["webhook-timestamp"], got.body)
    event = json.loads(got.body)
    assert list(event) == ["type", "time", "account", "dropped", "data"]
    assert TIME.match(event["time"])
    described = openapi_answers.document()["webhooks"][event["type"]]["post"]["requestBody"]
    assert not openapi_answers.errors_of(described["content"]["application/json"]["schema"], event)
    assert got.body == json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
    return event


def fsck(service):
    checked = subprocess.run([BINARY, "fsck", "--json", "--store", service.store], capture_output=True, text=True,
                             check=False)
    assert checked.returncode == 0, checked.stdout
    return [json.loads(line) for line in checked.stdout.splitlines()]


@pytest.fixture(name="both")
def make_both(make_service, make_receiver):
    """A service that tells the operator, and the account "blue" which is told too."""
    mine, theirs = make_receiver(), make_receiver()
    service = make_service("--dev", "--retry-schedule", "1s", "--events-url", mine.url(path="/ops"),
                           env={"CALLHOOK_EVENTS_SECRET": OPERATOR_SECRET}).start()
    service.blue = create(service, "blue")
    secret = set_events(service, theirs.url(path="/events"), service.blue)
    assert secret.startswith("whsec_")

    def both():
        """The next event, which both get."""
        own = read_event(theirs.next(), secret)
        assert read_event(mine.next(), OPERATOR_SECRET) == own
        assert own["account"] == "blue" and own["dropped"] == 0
        return own
    service.next_event = both
    service.mine, service.theirs = mine, theirs
    return service


def blue_webhook(service, url):
    answer = service.request("POST", "/v1/webhooks", {"url": url}, key=service.blue)
    assert answer.status == 201
    return answer.json()["id"]


def blue_call(service):
    call = some_call()
    assert service.request("PUT", f"/v1/calls/{call['id']}", call, key=service.blue).status == 201
    return call["id"]


@pytest.mark.threads
def test_a_delivery_that_failed(both, receiver):
    for _ in range(2):
        receiver.answers.put((400, {}, b"no"))
    hook = blue_webhook(both, receiver.url())
    call = blue_call(both)
    event = both.next_event()
    delivery, = both.request("GET", f"/v1/deliveries?callId={call}", key=both.blue).json()["content"]
    assert event["type"] == "delivery.failed"
    assert event["data"] == {"webhookId": hook, "url": receiver.url(), "deliveryId": delivery["id"], "callId": call,
                             "attempts": 2, "reason": delivery["reason"]}
    assert delivery["state"] == "FAILED" and "400" in delivery["reason"]
    assert both.mine.got.empty() and both.theirs.got.empty()


@pytest.mark.threads
def test_a_webhook_that_was_switched_off(both, receiver):
    receiver.answers.put((410, {}, b"gone"))
    hook = blue_webhook(both, receiver.url())
    blue_call(both)
    event = both.next_event()
    shown = both.request("GET", f"/v1/webhooks/{hook}", key=both.blue).json()
    assert event["type"] == "webhook.disabled"
    assert event["data"] == {"webhookId": hook, "url": receiver.url(), "reason": shown["reason"]}
    assert "410" in shown["reason"]
    # What a customer does is no event.
    assert both.request("POST", f"/v1/webhooks/{hook}/enable", {"deliverParked": True}, key=both.blue).status == 200
    receiver.next()
    receiver.next()
    assert both.request("POST", f"/v1/webhooks/{hook}/disable", key=both.blue).status == 200
    assert both.request("DELETE", f"/v1/webhooks/{hook}", key=both.blue).status == 204
    assert both.mine.got.empty() and both.theirs.got.empty()


@pytest.mark.threads
def test_a_webhook_that_is_dead_is_told_once(both, make_receiver):
    gone = make_receiver()
    gone.close()
    hook = blue_webhook(both, gone.url())
    for _ in range(10):
        blue_call(both)
    event = both.next_event()
    assert event["type"] == "webhook.dead"
    assert (event["data"]["webhookId"], event["data"]["url"]) == (hook, gone.url())
    assert re.match(r"^\d+ attempts in a row failed, the last: .*refused", event["data"]["reason"])


def test_a_replay_that_finished(both, receiver):
    hook = blue_webhook(both, receiver.url())
    for _ in range(3):
        blue_call(both)
        receiver.next()
    answer = both.request("POST", f"/v1/webhooks/{hook}/replay",
                          {"from": "2020-01-01T00:00:00Z", "states": ["DELIVERED", "FAILED"]}, key=both.blue)
    assert answer.status == 202
    event = both.next_event()
    job = both.request("GET", answer.headers["location"], key=both.blue).json()
    assert event["type"] == "replay.finished" and job["state"] == "DONE"
    assert event["data"] == {"webhookId": hook, "url": receiver.url(), "replayId": job["id"],
                             **{k: job[k] for k in ("examined", "resent", "made", "skipped")}}


def test_each_account_hears_of_its_own_only_and_sees_none_of_it(both, receiver):
    receiver.answers.put((410, {}, b"gone"))
    service, hook = both, both.webhook(receiver.url())[0]
    service.put(some_call())
    event = read_event(both.mine.next(), OPERATOR_SECRET)
    assert (event["account"], event["data"]["webhookId"]) == ("default", hook)
    assert both.theirs.got.empty()
    # blue's receiver is a webhook inside, and its events are deliveries: none of that is to be seen.
    gone = receiver.url(path="/gone")
    receiver.answers.put((410, {}, b"gone"))
    blue_webhook(both, gone)
    blue_call(both)
    both.next_event()
    for key, webhooks, calls in ((API_KEY, 1, 1), (both.blue, 1, 1)):
        assert len(service.request("GET", "/v1/webhooks", key=key).json()["content"]) == webhooks
        assert len(service.request("GET", "/v1/deliveries", key=key).json()["content"]) == calls
    metrics = service.request("GET", "/metrics").body.decode()
    assert re.search(r'^callhook_ledger_deliveries\{state="parked"\} 2$', metrics, re.M)
    assert re.search(r'^callhook_ledger_deliveries\{state="delivered"\} 0$', metrics, re.M)
    assert re.search(r"^callhook_events_total 3$", metrics, re.M)
    assert re.search(r"^callhook_events_dropped_total 0$", metrics, re.M)
    assert fsck(service)[-1]["ledger"]["accepted"] == 2


def test_an_event_outlives_a_kill_and_keeps_its_id(both, receiver):
    """The receiver has it and does not answer; after the kill it comes again, the same."""
    never = threading.Event()
    both.theirs.answers.put((200, {}, lambda: b"late" if never.wait(PATIENCE) else b""))
    both.mine.answers.put((500, {}, b"not now"))
    receiver.answers.put((410, {}, b"gone"))
    blue_webhook(both, receiver.url())
    blue_call(both)
    first, mine = both.theirs.next(), both.mine.next()
    both.kill()
    never.set()
    both.start()
    again, mine_again = both.theirs.next(), both.mine.next()
    assert (again.body, again.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])
    assert (mine_again.body, mine_again.headers["webhook-id"]) == (mine.body, mine.headers["webhook-id"])
    assert json.loads(again.body)["type"] == "webhook.disabled"


def test_a_dead_receiver_of_events_delays_nothing_and_is_no_event(make_service, make_receiver):
    service = make_service("--dev", "--retry-schedule", "1s").start()
    receiver, gone = make_receiver(), make_receiver()
    gone.close()
    assert set_events(service, gone.url())
    service.webhook(receiver.url())
    for _ in range(24):
        receiver.answers.put((400, {}, b"no"))
    for _ in range(12):
        service.put(some_call())
    failed = service.wait_for("/v1/deliveries?state=FAILED", lambda page: len(page["content"]) == 12)
    assert {d["state"] for d in failed["content"]} == {"FAILED"}
    last = some_call()
    service.put(last)
    service.wait_delivery(last["id"], "DELIVERED")
    # Twelve for the account and nobody else's: the receiver that does not answer has made no event of its own.
    metrics = service.request("GET", "/metrics").body.decode()
    assert re.search(r"^callhook_events_total 12$", metrics, re.M)
    service.stop()
    fsck(service)
    service.start()


def test_the_secret_is_shown_once_and_another_url_has_another(service, make_receiver):
    one, two = make_receiver(), make_receiver()
    assert service.request("GET", "/v1/account").json()["eventsSecret"] is None
    first = set_events(service, one.url())
    assert first.startswith("whsec_")
    assert set_events(service, one.url()) is None
    shown = service.request("GET", "/v1/account")
    assert shown.json()["eventsSecret"] is None and first.encode() not in shown.body
    second = set_events(service, two.url())
    assert second.startswith("whsec_") and second != first
    assert set_events(service, None) is None
    third = set_events(service, two.url())
    assert third not in (None, first, second)
    assert service.request("PATCH", "/v1/account", {"eventsUrl": "http://10.0.0.1/"}).status == 400
    assert service.request("GET", "/v1/account").json()["eventsUrl"] == two.url()
    for secret in (first, second, third):
        assert secret not in service.logged()


def test_a_receiver_that_says_gone_gets_what_waits_when_it_is_set_again(make_service, make_receiver):
    service = make_service("--dev", "--retry-schedule", "1s").start()
    receiver, events = make_receiver(), make_receiver()
    secret = set_events(service, events.url())
    events.answers.put((410, {}, b"gone"))
    receiver.answers.put((410, {}, b"gone"))
    service.webhook(receiver.url())
    service.put(some_call())
    first = read_event(events.next(), secret)
    shown = service.wait_for("/v1/account", lambda a: a["eventsReason"])
    assert "410" in shown["eventsReason"] and shown["eventsUrl"] == events.url()
    assert set_events(service, events.url()) is None
    assert read_event(events.next(), secret) == first
    assert service.request("GET", "/v1/account").json()["eventsReason"] is None


def test_a_deleted_account_takes_its_events_along(both, receiver):
    both.theirs.answers.put((429, {"Retry-After": "3600"}, b"later"))
    receiver.answers.put((410, {}, b"gone"))
    blue_webhook(both, receiver.url())
    blue_call(both)
    both.next_event()
    assert operator(both, "DELETE", "/v1/accounts/blue").status == 204
    made = wait_until_taken(both, "blue")["keys"]["primary"]
    assert both.request("GET", "/v1/account", key=made).json()["eventsUrl"] is None
    both.stop()
    total = fsck(both)[-1]
    assert total["webhooks"] == 3  # two that are gone, whose counts stay, and the operator's
    both.start()
    assert both.mine.got.empty()


def test_the_operators_url_follows_the_options(make_service, make_receiver, tmp_path):
    one, two, receiver = make_receiver(), make_receiver(), make_receiver()
    secret = tmp_path / "events.secret"
    secret.write_text("a secret of our own!".replace(" ", "-") + "\n")
    service = make_service("--dev", "--events-url", one.url(), "--events-secret-file", str(secret)).start()

    def happen():
        receiver.answers.put((410, {}, b"gone"))
        service.webhook(receiver.url())
        service.put(some_call())
        receiver.next()
    happen()
    got = one.next()
    assert got.headers["x-webhook-signature"] == signature_hex("a-secret-of-our-own!", got.body)
    service.stop()
    service.options = ("--dev", "--events-url", two.url(), "--events-secret", OPERATOR_SECRET)
    service.start()
    happen()
    read_event(two.next(), OPERATOR_SECRET)
    service.stop()
    service.options = ("--dev",)
    service.start()
    happen()
    service.stop()
    fsck(service)
    service.start()
    assert one.got.empty() and two.got.empty()
    assert OPERATOR_SECRET not in service.logged() and "a-secret-of-our-own" not in service.logged()


@pytest.mark.parametrize("options, word", [
    (("--events-url", "https://ops.example.com/"), "CALLHOOK_EVENTS_SECRET"),
    (("--events-url", "https://ops.example.com/", "--events-secret", "short"), "secret"),
    (("--events-url", "http://ops.example.com/", "--events-secret", OPERATOR_SECRET), "http"),
    (("--events-url", "https://10.0.0.1/", "--events-secret", OPERATOR_SECRET), "--events-url"),
])
def test_serve_refuses_what_it_could_not_sign_or_send(tmp_path, options, word):
    asked = subprocess.run([BINARY, "serve", "--store", f"sqlite:{tmp_path}/callhook.db", *options],
                           capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert asked.returncode == 2 and word in asked.stderr, asked.stderr
    assert OPERATOR_SECRET not in asked.stderr
    assert not (tmp_path / "callhook.db").exists()
