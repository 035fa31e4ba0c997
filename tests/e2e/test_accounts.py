"""Several accounts beside one another: what each has, and how they come and go."""
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import API_KEY, BINARY, OPERATOR, PATIENCE, some_call

BY_OPERATOR = {"Authorization": f"Bearer {OPERATOR}"}


def operator(service, method, path, body=None, account=None):
    headers = {**BY_OPERATOR, **({"X-Account-Id": account} if account else {})}
    return service.request(method, path, body, key=None, headers=headers)


def create(service, account, **settings):
    answer = operator(service, "POST", "/v1/accounts", {"id": account, **settings})
    assert answer.status == 201, answer.body
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["keys"]["primary"]


def rotate(service, which, key):
    answer = service.request("POST", f"/v1/account/keys/{which}/rotate", key=key)
    assert answer.status == 200 and answer.headers["cache-control"] == "no-store"
    return answer.json()["key"]


def wait_until_taken(service, account):
    """The id is free again when all that the account had is removed. Each round is a write of the server's."""
    while True:
        answer = operator(service, "POST", "/v1/accounts", {"id": account})
        if answer.status == 201:
            return answer.json()
        assert answer.status == 409, answer.body
        assert service.process.poll() is None


@pytest.mark.threads
def test_each_account_gets_its_own_calls(service, make_receiver):
    keys = {"default": API_KEY, "blue": create(service, "blue", name="Blue Ltd")}
    receivers, calls = {}, {}
    for account, key in keys.items():
        receivers[account] = make_receiver()
        made = service.request("POST", "/v1/webhooks", {"url": receivers[account].url()}, key=key)
        assert made.status == 201
    shared = some_call()  # one id in two accounts is two calls
    for account, key in keys.items():
        calls[account] = {**shared, "summary": account}
        assert service.request("PUT", f"/v1/calls/{shared['id']}", calls[account], key=key).status == 201
    for account in keys:
        assert json.loads(receivers[account].next().body)["summary"] == account
        shown = service.request("GET", f"/v1/calls/{shared['id']}", key=keys[account])
        assert shown.json()["summary"] == account
        assert len(service.request("GET", "/v1/webhooks", key=keys[account]).json()["content"]) == 1
        assert receivers[account].got.empty()


def test_the_operator_acts_for_the_account_it_names(service):
    create(service, "blue", name="Blue Ltd")
    shown = operator(service, "GET", "/v1/account", account="blue").json()
    assert (shown["id"], shown["name"], shown["eventsUrl"]) == ("blue", "Blue Ltd", None)
    assert operator(service, "GET", "/v1/account").json()["id"] == "default"
    for path in ("/v1/account", "/v1/webhooks", "/v1/accounts"):
        assert operator(service, "GET", path, account="nobody").status == 404
    assert [a["id"] for a in operator(service, "GET", "/v1/accounts").json()["content"]] == ["default", "blue"]
    assert service.request("GET", "/v1/accounts").status == 403


def test_a_rotated_key_is_refused_at_once_and_after_a_restart(service):
    first = create(service, "blue")
    second = rotate(service, "primary", first)
    assert service.request("GET", "/v1/account", key=first).status == 401
    before = service.request("GET", "/v1/account", key=second).json()
    service.stop()
    service.start()
    assert service.request("GET", "/v1/account", key=first).status == 401
    assert service.request("GET", "/v1/account", key=second).json() == before
    default = rotate(service, "secondary", API_KEY)
    assert {service.request("GET", "/v1/account", key=k).status for k in (API_KEY, default)} == {200}
    assert rotate(service, "primary", default) and service.request("GET", "/v1/account").status == 401
    assert second not in service.logged() and default not in service.logged()


@pytest.mark.threads
def test_of_many_rotations_at_once_the_last_one_counts(service):
    """The one that the store has: the same key opens after a restart."""
    create(service, "blue")
    path = "/v1/account/keys/primary/rotate"
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: operator(service, "POST", path, account="blue"), range(48)))
    keys = [a.json()["key"] for a in answers]
    assert len(set(keys)) == 48

    def valid():
        return [k for k in keys if service.request("GET", "/v1/account", key=k).status == 200]
    before = valid()
    assert len(before) == 1
    service.stop()
    service.start()
    assert valid() == before


def test_of_many_that_make_or_delete_one_account_one_does(service):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: operator(service, "POST", "/v1/accounts", {"id": "blue"}), range(16)))
        gone = list(pool.map(lambda _: operator(service, "DELETE", "/v1/accounts/blue"), range(16)))
    assert sorted(a.status for a in made) == [201] + [409] * 15
    assert sorted(a.status for a in gone) == [204] + [404] * 15
    key = next(a for a in made if a.status == 201).json()["keys"]["primary"]
    assert service.request("GET", "/v1/account", key=key).status == 401


def test_settings_are_kept(service, receiver):
    key = create(service, "blue")
    answer = service.request("PATCH", "/v1/account", {"eventsUrl": receiver.url(path="/events")}, key=key)
    assert answer.status == 200 and answer.json()["eventsUrl"] == receiver.url(path="/events")
    service.stop()
    service.start()
    assert service.request("GET", "/v1/account", key=key).json() == answer.json() | {"eventsSecret": None}
    assert service.request("GET", "/v1/account").json()["eventsUrl"] is None


def test_nothing_is_sent_for_a_deleted_account(make_service, make_receiver):
    service = make_service("--dev", "--retry-schedule", "1s,1s,1s").start()
    receiver, other = make_receiver(), make_receiver()
    key = create(service, "blue")
    for _ in range(100):
        receiver.answers.put((500, {}, b"not yet"))
    assert service.request("POST", "/v1/webhooks", {"url": receiver.url()}, key=key).status == 201
    service.webhook(other.url())
    call = some_call()
    assert service.request("PUT", f"/v1/calls/{call['id']}", call, key=key).status == 201
    receiver.next()
    assert operator(service, "DELETE", "/v1/accounts/blue").status == 204
    for method, path, body in (("GET", "/v1/account", None), ("PUT", f"/v1/calls/{call['id']}", call)):
        assert service.request(method, path, body, key=key).status == 401
        assert operator(service, method, path, body, account="blue").status == 404
    # Its retries were due every second; those of the other account come all the same.
    while not receiver.got.empty():
        receiver.got.get()
    made = wait_until_taken(service, "blue")
    for _ in range(2):
        other.answers.put((500, {}, b"not yet"))
    service.put(some_call())
    for _ in range(3):
        other.next()
    assert receiver.got.empty()
    assert service.request("GET", f"/v1/calls/{call['id']}", key=made["keys"]["primary"]).status == 404
    assert service.request("GET", "/v1/audit", key=made["keys"]["primary"]).json()["content"] == []


@pytest.mark.threads
def test_an_attempt_outlives_its_account(service, make_receiver):
    """Its answer comes when there is no row any more that it could be written to."""
    receiver, other = make_receiver(), make_receiver()
    key = create(service, "blue")
    release = threading.Event()
    receiver.answers.put((200, {}, lambda: b"late" if release.wait(PATIENCE) else b""))
    assert service.request("POST", "/v1/webhooks", {"url": receiver.url()}, key=key).status == 201
    call = some_call()
    assert service.request("PUT", f"/v1/calls/{call['id']}", call, key=key).status == 201
    receiver.next()
    assert operator(service, "DELETE", "/v1/accounts/blue").status == 204
    wait_until_taken(service, "blue")
    release.set()
    service.webhook(other.url())
    after = some_call()
    service.put(after)
    service.wait_delivery(after["id"], "DELIVERED")
    service.stop()
    checked = subprocess.run([BINARY, "fsck", "--json", "--store", service.store], capture_output=True, text=True,
                             check=False)
    assert checked.returncode == 0, checked.stdout
    service.start()


def test_a_deleted_account_takes_nothing_of_the_others(service, receiver):
    service.webhook(receiver.url())
    kept = some_call()
    service.put(kept)
    receiver.next()
    service.wait_delivery(kept["id"], "DELIVERED")
    key = create(service, "blue")
    service.request("POST", "/v1/webhooks", {"url": receiver.url()}, key=key)
    for _ in range(20):
        call = some_call()
        service.request("PUT", f"/v1/calls/{call['id']}", call, key=key)
    assert operator(service, "DELETE", "/v1/accounts/blue").status == 204
    wait_until_taken(service, "blue")
    assert service.request("GET", f"/v1/calls/{kept['id']}").status == 200
    assert len(service.request("GET", "/v1/deliveries").json()["content"]) == 1
    assert operator(service, "DELETE", "/v1/accounts/default").status == 409
    assert service.request("GET", "/v1/account").status == 200


def test_what_the_operator_did_is_written_down(service):
    create(service, "blue", name="Blue Ltd")
    operator(service, "DELETE", "/v1/accounts/blue")
    rotate(service, "secondary", API_KEY)
    log = operator(service, "GET", "/v1/audit?log=installation").json()["content"]
    assert [(e["action"], e["objectId"], e["actor"]) for e in log] == [
        ("account.delete", "blue", "operator"), ("account.create", "blue", "operator")]
    own = service.request("GET", "/v1/audit").json()["content"]
    assert [(e["action"], e["objectId"], e["actor"]) for e in own] == [("key.rotate", "secondary", "api key primary")]
    assert service.request("GET", "/v1/audit?log=installation").status == 403
