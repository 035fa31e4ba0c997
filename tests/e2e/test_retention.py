"""What is older than retention goes by itself, and the ledger still adds up. The store is made old between two runs."""
import json
import re
import subprocess
import time

from aging import age, counts
from conftest import BINARY, PATIENCE, some_call

STATES = ["pending", "delivered", "failed", "parked", "canceled"]


def path_of(service):
    return service.store.removeprefix("sqlite:")


def grow_old(service, days):
    service.stop()
    age(path_of(service), days)
    service.start()


def wait_counts(service, wanted):
    until = time.monotonic() + PATIENCE
    while (found := counts(path_of(service))) != wanted:
        assert time.monotonic() < until, found


def metric(service, name):
    return int(re.search(rf"^{name} (\d+)$", service.request("GET", "/metrics").body.decode(), re.M).group(1))


def checked(service):
    """The ledger as fsck proves it from the rows."""
    ended = subprocess.run([BINARY, "fsck", "--json", "--store", service.store], capture_output=True, text=True,
                           timeout=PATIENCE)
    assert ended.returncode == 0, ended.stdout
    ledger = json.loads(ended.stdout.splitlines()[-1])["ledger"]
    assert ledger["accepted"] == sum(ledger[state] for state in STATES)
    return {state: n for state, n in ledger.items() if n}


def deliver(service, receiver, call):
    assert service.put(call).status in (200, 201)
    receiver.next()
    return service.wait_delivery(call["id"], "DELIVERED")["id"]


def test_old_calls_go_and_stay_counted(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    old, erased, young = some_call(), some_call(), some_call()
    delivery = deliver(service, receiver, old)
    deliver(service, receiver, erased)
    assert service.request("DELETE", f"/v1/calls/{erased['id']}").status == 204
    grow_old(service, 91)
    deliver(service, receiver, young)
    wait_counts(service, (2, 1, 1))  # the young one, and the mark of the erased one
    assert service.request("GET", f"/v1/calls/{old['id']}").status == 404
    assert service.request("GET", f"/v1/deliveries/{delivery}").status == 404
    assert service.request("GET", f"/v1/calls/{young['id']}").status == 200
    assert service.request("GET", f"/v1/calls/{erased['id']}").status == 410
    assert service.put(erased).status == 410
    assert len(service.request("GET", "/v1/deliveries").json()["content"]) == 1
    assert metric(service, "callhook_retention_calls_total") == 2
    assert metric(service, r'callhook_ledger_deliveries\{state="delivered"\}') == 3
    assert checked(service) == {"accepted": 3, "delivered": 3}
    # It is as if it had never been: it comes as a new one.
    assert service.put(old).status == 201
    receiver.next()
    service.wait_delivery(old["id"], "DELIVERED")
    assert checked(service) == {"accepted": 4, "delivered": 4}


def test_many_old_calls_go_in_steps_and_accepting_goes_on(make_service, receiver):
    count = 2000
    service = make_service("--dev").start()
    calls = [some_call(status="REJECTED", summary="x" * 300) for _ in range(count)]
    lines = "\n".join(map(json.dumps, calls)).encode()
    answer = service.request("POST", "/v1/calls/import", lines, {"Content-Type": "application/x-ndjson"})
    assert [json.loads(line)["status"] for line in answer.body.splitlines()] == [201] * count
    grow_old(service, 91)
    service.webhook(receiver.url())
    fresh = [some_call() for _ in range(20)]
    for call in fresh:
        deliver(service, receiver, call)
    wait_counts(service, (20, 20, 20))
    assert metric(service, "callhook_retention_calls_total") == count
    assert checked(service) == {"accepted": 20, "delivered": 20}


def test_old_attempts_go_before_their_delivery(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    call = some_call()
    deliver(service, receiver, call)
    grow_old(service, 31)
    wait_counts(service, (1, 1, 0))
    found = service.wait_delivery(call["id"], "DELIVERED")
    shown = service.request("GET", f"/v1/deliveries/{found['id']}").json()
    assert shown["attempts"] == [] and shown["state"] == "DELIVERED"
    assert checked(service) == {"accepted": 1, "delivered": 1}


def test_what_is_parked_too_long_is_canceled_and_said(make_service, receiver):
    service = make_service("--dev", "--retention-calls", "10").start()
    service.webhook(receiver.url(), enabled=False)
    call = some_call()
    service.put(call)
    service.wait_delivery(call["id"], "PARKED")
    grow_old(service, 11)
    found = service.wait_delivery(call["id"], "CANCELED")
    assert found["reason"] == "it was parked for longer than calls are kept"
    assert service.request("GET", f"/v1/calls/{call['id']}").status == 200
    assert metric(service, "callhook_retention_canceled_total") == 1
    grow_old(service, 1)
    wait_counts(service, (0, 0, 0))
    assert checked(service) == {"accepted": 1, "canceled": 1}
    assert receiver.got.empty()


def test_what_is_still_to_be_delivered_stays(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1h,1h").start()
    service.webhook(receiver.url())
    waiting, done = some_call(), some_call()
    receiver.answers.put((500, {}, b"not now"))
    service.put(waiting)
    receiver.next()
    service.wait_for(f"/v1/deliveries?callId={waiting['id']}", lambda page: page["content"][0]["tries"] == 1)
    deliver(service, receiver, done)
    receiver.answers.put((500, {}, b"not now"))
    grow_old(service, 200)
    receiver.next()  # its next try was due long ago
    wait_counts(service, (1, 1, 1))
    assert service.request("GET", f"/v1/calls/{waiting['id']}").status == 200
    assert service.request("GET", f"/v1/calls/{done['id']}").status == 404
    assert checked(service) == {"accepted": 2, "pending": 1, "delivered": 1}


def test_zero_keeps_for_ever(make_service, receiver):
    service = make_service("--dev", "--retention-calls", "0", "--retention-attempts", "0").start()
    service.webhook(receiver.url())
    call = some_call()
    deliver(service, receiver, call)
    grow_old(service, 5000)
    deliver(service, receiver, some_call())
    assert service.request("GET", f"/v1/calls/{call['id']}").status == 200
    assert counts(path_of(service)) == (2, 2, 2)


def test_a_wrong_setting_is_refused(tmp_path):
    for value in ("-1", "x", "36501", "1.5"):
        ended = subprocess.run([BINARY, "serve", "--store", "memory:", "--retention-calls", value],
                               capture_output=True, text=True, timeout=PATIENCE)
        assert ended.returncode == 2 and "--retention-calls" in ended.stderr, ended.stderr
