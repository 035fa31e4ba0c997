"""GET /v1/stats: what became of the attempts, how long they took, and what waits."""
import datetime
import json
import threading

import pytest

from conftest import OPERATOR, some_call

DAY = 86400
OTHER = {"Authorization": f"Bearer {OPERATOR}", "X-Account-Id": "other"}


def ask(service, query="", status=200, **kwargs):
    answer = service.request("GET", f"/v1/stats{query}", **kwargs)
    assert answer.status == status, answer.body
    return answer.json()


def of(service, hook, query=""):
    one, = ask(service, f"?webhookId={hook}{query}")["webhooks"]
    assert one["webhookId"] == hook
    return one


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def refuses(receiver, count, status=500):
    for _ in range(count):
        receiver.answers.put((status, {}, b"no"))


def total(one, what):
    return sum(point[what] for point in one["series"])


def wait_attempts(service, hook, count):
    return service.wait_for(f"/v1/stats?webhookId={hook}",
                            lambda s: total(s["webhooks"][0], "attempts") >= count)["webhooks"][0]


def test_a_good_a_bad_and_a_slow_receiver(make_service, make_receiver):
    service = make_service("--dev", "--retry-schedule", "1h").start()
    good, bad, slow = make_receiver(), make_receiver(), make_receiver()
    hooks = [service.webhook(r.url(), secret=False, statuses=[status])[0] for r, status in
             ((good, "COMPLETED"), (bad, "FAILED"), (slow, "NO_ANSWER"))]
    refuses(bad, 3)
    for _ in range(2):
        slow.answers.put((200, {}, lambda: threading.Event().wait(0.3) or b"ok"))
    for status, count in (("COMPLETED", 5), ("FAILED", 4), ("NO_ANSWER", 2)):
        for _ in range(count):
            service.put(some_call(status=status))
    shown = [wait_attempts(service, hook, count) for hook, count in zip(hooks, (5, 4, 2))]
    assert [one["successRate"] for one in shown] == [1, 0.25, 1]
    for one, attempts, delivered in zip(shown, (5, 4, 2), (5, 1, 2)):
        assert (total(one, "attempts"), total(one, "delivered")) == (attempts, delivered)
        assert total(one, "failed") == attempts - delivered
        assert 0 < one["latency"]["p50"] <= one["latency"]["p90"] <= one["latency"]["p99"]
        filled = [p for p in one["series"] if p["attempts"]]
        assert all(p["latency"]["p50"] > 0 for p in filled)
        assert all(p["latency"]["p99"] is None for p in one["series"] if not p["attempts"])
    assert shown[2]["latency"]["p50"] >= 300 * 0.9375
    assert shown[0]["counts"] == {"accepted": 5, "pending": 0, "delivered": 5, "failed": 0, "parked": 0,
                                  "canceled": 0}
    assert shown[1]["counts"]["pending"] == 3
    assert all(one["state"] == "READY" for one in shown)
    everything = ask(service)["webhooks"]
    assert [one["webhookId"] for one in everything] == hooks
    assert [total(one, "attempts") for one in everything] == [5, 4, 2]


def test_what_waits_and_since_when(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1h").start()
    hook, _ = service.webhook(receiver.url(), secret=False)
    nothing = of(service, hook)
    assert nothing["oldestPending"] is None and nothing["successRate"] is None
    assert nothing["latency"] == {"p50": None, "p90": None, "p99": None}
    assert [b["under"] for b in nothing["backlog"]] == [60 << i for i in range(13)] + [None]
    assert all(b["count"] == 0 for b in nothing["backlog"])
    refuses(receiver, 3)
    calls = [some_call() for _ in range(3)]
    for call in calls:
        service.put(call)
    wait_attempts(service, hook, 3)
    made = [service.request("GET", f"/v1/deliveries?callId={c['id']}").json()["content"][0]["created"] for c in calls]
    one = service.wait_for(f"/v1/stats?webhookId={hook}",
                           lambda s: sum(b["count"] for b in s["webhooks"][0]["backlog"]) == 3)["webhooks"][0]
    assert one["oldestPending"] == min(made)
    assert sum(b["count"] for b in one["backlog"][:3]) == 3


def test_a_dead_endpoints_state_and_reason_and_its_probes(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1h").start()
    hook, _ = service.webhook(receiver.url(), secret=False)
    refuses(receiver, 1000)
    for _ in range(20):
        service.put(some_call())
    dead = service.wait_for(f"/v1/webhooks/{hook}", lambda w: w["state"] == "DEAD" and w["inFlight"] == 0)
    one = of(service, hook)
    assert (one["state"], one["reason"]) == ("DEAD", dead["reason"])
    assert one["successRate"] == 0
    service.request("POST", f"/v1/webhooks/{hook}/disable")
    one = of(service, hook)
    assert one["state"] == "DISABLED"


def test_tests_do_not_count_and_resends_do(service, receiver):
    hook, _ = service.webhook(receiver.url(), secret=False)
    assert service.request("POST", f"/v1/webhooks/{hook}/test").status == 200
    receiver.next()
    call = some_call()
    service.put(call)
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    assert total(wait_attempts(service, hook, 1), "attempts") == 1
    assert service.request("POST", f"/v1/deliveries/{which}/resend").status == 202
    one = wait_attempts(service, hook, 2)
    assert (total(one, "attempts"), total(one, "delivered"), one["counts"]["accepted"]) == (2, 2, 1)


@pytest.mark.parametrize("step, default", [(60, DAY), (300, DAY), (3600, DAY), (86400, 30 * DAY)])
def test_stretches_are_whole_and_none_is_left_out(service, receiver, step, default):
    hook, _ = service.webhook(receiver.url(), secret=False)
    service.put(some_call())
    receiver.next()
    wait_attempts(service, hook, 1)
    shown = ask(service, f"?step={step}")
    series = shown["webhooks"][0]["series"]
    starts = [seconds(p["time"]) for p in series]
    assert shown["step"] == step
    assert starts[0] == seconds(shown["from"]) and starts[-1] + step == seconds(shown["to"])
    assert all(s % step == 0 for s in starts)
    assert starts == list(range(int(starts[0]), int(starts[-1]) + 1, step))
    assert default / step <= len(starts) <= default / step + 1
    assert [p["attempts"] for p in series if p["attempts"]] == [1]


def test_a_stretch_of_time_that_is_asked_for(service, receiver):
    hook, _ = service.webhook(receiver.url(), secret=False)
    service.put(some_call())
    receiver.next()
    now = seconds(wait_attempts(service, hook, 1) and ask(service)["to"])
    last = datetime.datetime.fromtimestamp(now - 1, datetime.timezone.utc)
    day = last.strftime("%Y-%m-%d")
    shown = ask(service, f"?from={day}&to={day}&step=3600")
    assert (shown["from"], seconds(shown["to"]) - seconds(shown["from"])) == (f"{day}T00:00:00.000Z", DAY)
    # An hour of which nothing can be known any more has no stretches, and neither rate nor latency.
    old = ask(service, "?from=2020-01-01&to=2020-01-02")
    assert old["from"] == old["to"] and seconds(old["from"]) > seconds("2020-01-02T00:00:00Z")
    assert old["webhooks"][0]["series"] == [] and old["webhooks"][0]["successRate"] is None
    # In minutes an answer begins two days ago.
    short = ask(service, "?from=2020-01-01&step=300")
    assert len(short["webhooks"][0]["series"]) in (48 * 12, 48 * 12 + 1)


@pytest.mark.parametrize("query, words", [
    ("step=61", "step"), ("step=", "step"), ("from=yesterday", "from"), ("to=2024-13-01", "to"),
    ("from=2024-07-31&to=2024-07-30", "later"), ("webhookId=x", "webhookId"), ("span=day", "span"),
    ("from=2020-01-01&step=60", "1500"),
])
def test_a_query_that_cant_be_answered(service, query, words):
    problem = ask(service, f"?{query}", status=400)
    assert any(words in e["detail"] for e in problem["errors"]), problem


def test_only_the_accounts_own(service, receiver):
    assert service.request("POST", "/v1/accounts", {"id": "other"}, key=None,
                           headers={"Authorization": f"Bearer {OPERATOR}"}).status == 201
    hook, _ = service.webhook(receiver.url(), secret=False)
    assert ask(service, key=None, headers=OTHER)["webhooks"] == []
    ask(service, f"?webhookId={hook}", status=404, key=None, headers=OTHER)
    ask(service, "?webhookId=01890a5d-ac96-774b-bcce-b302099a8057", status=404)
    assert service.request("DELETE", f"/v1/webhooks/{hook}").status == 204
    ask(service, f"?webhookId={hook}", status=404)
    assert ask(service)["webhooks"] == []


def test_counts_survive_a_crash(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1h").start()
    hook, _ = service.webhook(receiver.url(), secret=False)
    refuses(receiver, 1)
    for _ in range(3):
        service.put(some_call())
    before = wait_attempts(service, hook, 3)
    service.kill()
    service.start()
    after = of(service, hook)
    assert total(after, "attempts") == 3 and after["successRate"] == before["successRate"]
    assert after["latency"] == before["latency"]
    service.put(some_call())
    assert total(wait_attempts(service, hook, 4), "attempts") == 4
    assert json.loads(receiver.next().body)
