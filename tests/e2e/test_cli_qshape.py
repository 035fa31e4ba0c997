"""callhook qshape, against a server."""
import json
import os
import subprocess

from conftest import BINARY, OPERATOR, PATIENCE, some_call

BEARER = {"Authorization": f"Bearer {OPERATOR}"}


def qshape(service, *args, token=OPERATOR):
    env = {k: v for k, v in os.environ.items() if not k.startswith("CALLHOOK_")}
    if token:
        env["CALLHOOK_OPERATOR_TOKEN"] = token
    return subprocess.run([BINARY, "qshape", *args, "--server", f"http://127.0.0.1:{service.port}"],
                          capture_output=True, text=True, timeout=PATIENCE, env=env)


def refuses(receiver, count):
    for _ in range(count):
        receiver.answers.put((500, {}, b"no"))


def wait_pending(service, hook, count):
    service.wait_for(f"/v1/stats?webhookId={hook}",
                     lambda s: sum(b["count"] for b in s["webhooks"][0]["backlog"]) == count and
                     sum(p["attempts"] for p in s["webhooks"][0]["series"]) >= count)


def make(make_service, make_receiver):
    """Two that fail, of two accounts, and one that does not."""
    service = make_service("--dev", "--retry-schedule", "1h").start()
    assert service.request("POST", "/v1/accounts", {"id": "blue"}, key=None, headers=BEARER).status == 201
    blue = {**BEARER, "X-Account-Id": "blue"}
    bad, worse, good = make_receiver(), make_receiver(), make_receiver()
    refuses(bad, 2)
    refuses(worse, 4)
    one, _ = service.webhook(bad.url(), secret=False, name="Ünë with a name that is much longer than the column")
    service.webhook(good.url(), secret=False, name="good")
    two = service.request("POST", "/v1/webhooks", {"url": worse.url()}, key=None, headers=blue).json()["id"]
    for _ in range(2):
        service.put(some_call())
    for _ in range(4):
        assert service.put(some_call(), key=None, headers=blue).status == 201
    wait_pending(service, one, 2)
    until = qshape(service, "--json", "--account", "blue")
    while not until.stdout or json.loads(until.stdout)["total"] != 4:
        assert until.returncode == 0, until.stderr
        until = qshape(service, "--json", "--account", "blue")
    return service, one, two, worse


def test_the_largest_backlog_comes_first_and_none_is_left_out(make_service, make_receiver):
    service, one, two, worse = make(make_service, make_receiver)
    shown = qshape(service)
    assert shown.returncode == 0, shown.stderr
    head, total, first, second = shown.stdout.splitlines()
    assert head.split()[-15:] == ["T", *(str(1 << i) for i in range(13)), "4096+"]
    counts = [[int(n) for n in line.split()[-15:]] for line in (total, first, second)]
    assert [c[0] for c in counts] == [6, 4, 2]
    assert all(sum(c[1:]) == c[0] and sum(c[1:4]) == c[0] for c in counts)
    assert first.startswith(worse.url()) and second.startswith("Ünë with a name that is much longer")
    assert len({len(line) for line in shown.stdout.splitlines()}) == 1
    rows = [json.loads(line) for line in qshape(service, "--json").stdout.splitlines()]
    assert [(r["account"], r["webhookId"], r["total"]) for r in rows] == [("blue", two, 4), ("default", one, 2)]
    assert all(r["state"] == "READY" and r["oldestPending"] and len(r["backlog"]) == 14 for r in rows)
    assert [r["name"] for r in rows] == [worse.url(), "Ünë with a name that is much longer than the column"]


def test_one_account_and_those_without_a_backlog(make_service, make_receiver):
    service, one, _, _ = make(make_service, make_receiver)
    mine = [json.loads(line) for line in qshape(service, "--json", "--account", "default").stdout.splitlines()]
    assert [r["webhookId"] for r in mine] == [one]
    everything = [json.loads(line) for line in qshape(service, "--json", "--all").stdout.splitlines()]
    assert [r["total"] for r in everything] == [4, 2, 0]
    assert everything[2]["name"] == "good" and everything[2]["oldestPending"] is None


def test_nothing_waits(service):
    shown = qshape(service)
    assert shown.returncode == 0 and len(shown.stdout.splitlines()) == 2
    assert shown.stdout.splitlines()[1].split() == ["TOTAL"] + ["0"] * 15
    assert qshape(service, "--json").stdout == ""


def test_how_it_ends_when_it_cant(service):
    assert qshape(service, token=None).returncode == 2
    assert qshape(service, "--account", "a b").returncode == 2
    unknown = qshape(service, "--account", "nobody")
    assert unknown.returncode == 1 and unknown.stderr.startswith("callhook qshape: 404") and unknown.stdout == ""
    assert qshape(service, token="wrong" * 8).returncode == 1
