"""callhook deliveries and callhook replay, against a server."""
import json
import os
import subprocess
import threading

from conftest import API_KEY, BINARY, PATIENCE, some_call
from test_cli_import import run


def rows_of(shown):
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line) for line in shown.stdout.splitlines()]


def deliver(service, receiver, count=1, **changes):
    calls = [some_call(**changes) for _ in range(count)]
    for call in calls:
        service.put(call)
        receiver.next()
        service.wait_delivery(call["id"], "DELIVERED")
    return calls


def test_a_list_with_filters(service, make_receiver):
    one, two = make_receiver(), make_receiver()
    first, _ = service.webhook(one.url())
    calls = deliver(service, one, 3)
    second, _ = service.webhook(two.url())
    service.request("POST", f"/v1/webhooks/{second}/disable")
    service.request("POST", f"/v1/webhooks/{first}/disable")
    late = some_call()
    service.put(late)
    everything = rows_of(run("deliveries", service, "--json"))
    assert [row["callId"] for row in everything[2:]] == [call["id"] for call in reversed(calls)]
    for options, count in ((["--webhook", first], 4), (["--call", late["id"]], 2), (["--state", "PARKED"], 2),
                           (["--state", "DELIVERED", "--webhook", second], 0), (["--limit", "2"], 2),
                           (["--from", "2100-01-01"], 0), (["--to", "2000-01-01T00:00:00+01:00"], 0),
                           (["--limit", "0"], 5)):
        assert len(rows_of(run("deliveries", service, "--json", *options))) == count, options
    text = run("deliveries", service, "--call", calls[0]["id"]).stdout.decode()
    assert "DELIVERED" in text and calls[0]["id"] in text and "attempts 1" in text


def test_all_of_many_pages(service, receiver):
    service.webhook(receiver.url())
    calls = [some_call() for _ in range(230)]
    body = "".join(json.dumps(call) + "\n" for call in calls).encode()
    service.request("POST", "/v1/calls/import", body, {"Content-Type": "application/x-ndjson"})
    rows = rows_of(run("deliveries", service, "--json", "--limit", "0"))
    assert {row["callId"] for row in rows} == {call["id"] for call in calls} and len(rows) == 230
    assert len(rows_of(run("deliveries", service, "--json", "--limit", "150"))) == 150


def test_one_with_its_attempts(service, receiver):
    service.webhook(receiver.url())
    receiver.answers.put((418, {}, b"short and stout"))
    call = some_call()
    service.put(call)
    receiver.next()
    made = service.wait_for(f"/v1/deliveries?callId={call['id']}", lambda p: p["content"][0]["attemptCount"] == 1)
    which = made["content"][0]["id"]
    text = run("deliveries", service, which).stdout.decode()
    assert which in text and "answered 418" in text and "short and stout" in text
    shown, = rows_of(run("deliveries", service, which, "--json"))
    assert shown["attempts"][0]["status"] == 418
    missing = run("deliveries", service, call["id"])
    assert missing.returncode == 1 and b"404" in missing.stderr


def test_following_the_attempts(service, receiver):
    service.webhook(receiver.url())
    env = {**os.environ, "CALLHOOK_API_KEY": API_KEY}
    follower = subprocess.Popen([BINARY, "deliveries", "--follow", "--count", "3", "--json", "--server",
                                 f"http://127.0.0.1:{service.port}"], stdout=subprocess.PIPE, text=True, env=env)
    # The stream begins with the next attempt: calls are sent until it has seen what it waits for.
    calls, done = [], threading.Event()

    def more():
        while not done.is_set():
            calls.extend(deliver(service, receiver))
    feeder = threading.Thread(target=more)
    feeder.start()
    seen = [json.loads(follower.stdout.readline()) for _ in range(3)]
    done.set()
    feeder.join()
    assert follower.wait(timeout=PATIENCE) == 0
    order = [call["id"] for call in calls]
    at = order.index(seen[0]["callId"])
    assert [event["callId"] for event in seen] == order[at:at + 3]
    assert all(event["state"] == "DELIVERED" and event["status"] == 200 for event in seen)


def test_wrong_usage_of_deliveries(service):
    for args, code in ((["x"], 2), (["--limit", "-1"], 2), (["--follow", "x"], 2), (["--state", "GONE"], 1),
                       (["--from", "then"], 1)):
        shown = run("deliveries", service, *args)
        assert (shown.returncode, shown.stdout) == (code, b""), args
        assert shown.stderr


def test_a_replay_from_its_creation_to_its_end(service, receiver):
    webhook, _ = service.webhook(receiver.url())
    calls = deliver(service, receiver, 5)
    shown = run("replay", service, webhook, "--from", "2000-01-01T00:00:00Z", "--state", "DELIVERED", "--json")
    replay, = rows_of(shown)
    assert (replay["state"], replay["resent"]) == ("DONE", 5)
    assert b"replay: " in shown.stderr and b"5 sent again" in shown.stderr
    assert {json.loads(receiver.next().body)["id"] for _ in calls} == {call["id"] for call in calls}
    text = run("replay", service, replay["id"])
    assert (text.returncode, text.stdout.decode()) == (0, f"Replay {replay['id']} is DONE.\n")


def test_missing_calls_with_a_status_and_a_rate(service, receiver):
    calls = [some_call(status="FAILED"), some_call()]
    for call in calls:
        service.put(call)
    webhook, _ = service.webhook(receiver.url())
    replay, = rows_of(run("replay", service, webhook, "--from", "2000-01-01T00:00:00Z", "--missing", "--call-status",
                          "FAILED", "--rate", "100", "--quiet", "--json"))
    assert (replay["made"], replay["rate"]) == (1, 100)
    assert json.loads(receiver.next().body)["id"] == calls[0]["id"]


def test_a_replay_that_is_canceled(service, receiver):
    webhook, _ = service.webhook(receiver.url())
    deliver(service, receiver, 3)
    started, = rows_of(run("replay", service, webhook, "--from", "2000-01-01T00:00:00Z", "--state", "DELIVERED", "--rate",
                           "1", "--detach", "--json"))
    assert started["state"] == "RUNNING"
    canceled = run("replay", service, started["id"], "--cancel")
    assert canceled.returncode == 0 and b"is CANCELED" in canceled.stdout, canceled.stderr
    watched = run("replay", service, started["id"])
    assert watched.returncode == 1 and b"is CANCELED" in watched.stdout


def test_wrong_usage_of_replay(service, receiver):
    webhook, _ = service.webhook(receiver.url())
    for args, code in (([], 2), (["x"], 2), ([webhook, "--cancel", "--from", "2024-01-01T00:00:00Z"], 2),
                       ([webhook, "--from", "2024-01-01T00:00:00Z", "--rate", "0"], 2), ([webhook], 1),
                       ([webhook, "--from", "then"], 1), ([webhook, "--from", "2024-01-01T00:00:00Z", "--state", "X"], 1)):
        shown = run("replay", service, *args)
        assert (shown.returncode, shown.stdout) == (code, b""), args
        assert shown.stderr
