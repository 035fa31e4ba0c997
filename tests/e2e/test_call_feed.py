"""GET /v1/calls/feed: finished calls in the order of their commits, nothing left out, nothing twice."""
import http.client
import json
import subprocess
import threading
import time
import uuid

import pytest
from conftest import API_KEY, BINARY, OPERATOR, PATIENCE, some_call

PATH = "/v1/calls/feed"
OPERATOR_HEADERS = {"Authorization": f"Bearer {OPERATOR}"}


def page(service, after=None, **query):
    if after is not None:
        query["after"] = after
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = service.request("GET", f"{PATH}?{text}" if text else PATH)
    assert answer.status == 200, answer.body
    return answer.json()


def all_of(service, after=None, **query):
    """Everything there is behind `after`, and where it ended."""
    items = []
    while True:
        got = page(service, after, **query)
        after = got["next"]
        items += got["content"]
        if not got["content"]:
            return items, after


def ids(items):
    return [item["callId"] for item in items]


class Waiter(threading.Thread):
    """One long poll, under way."""

    def __init__(self, service, query, headers=None):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        self.connection.request("GET", f"{PATH}?{query}", headers=headers or {"X-Api-Key": API_KEY})
        self.start()

    def run(self):
        response = self.connection.getresponse()
        self.status, self.body = response.status, response.read()
        self.connection.close()

    def answer(self):
        self.join(PATIENCE)
        return self.status, json.loads(self.body)


MOST = 16  # that may wait, of one account


def until_refused(service, end, status):
    """Asks with a wait until the answer is this one: 429 as long as all places are taken, else 200."""
    until = time.monotonic() + PATIENCE
    while True:
        answer = service.request("GET", f"{PATH}?wait=1&after={end}")
        if answer.status == status:
            return answer
        assert time.monotonic() < until, answer.body


def test_versions_come_with_the_bytes_that_are_served(service):
    first, second = some_call(), some_call(status="NO_ANSWER")
    for call in (first, second, {**first, "summary": "it came late"}):
        service.put(call)
    service.put(second)
    items, end = all_of(service, size=2)
    assert [(i["callId"], i["version"], i["erased"]) for i in items] == [
        (first["id"], 1, False), (second["id"], 1, False), (first["id"], 2, False)]
    assert [i["call"].get("summary") for i in items] == [None, None, "it came late"]
    served = service.request("GET", f"/v1/calls/{first['id']}").body
    whole = service.request("GET", PATH).body
    assert b'"call":' + served + b"}" in whole
    assert all_of(service, end) == ([], end)


def test_a_call_in_progress_comes_when_it_is_finished(service):
    call = some_call(status="IN_PROGRESS")
    service.put(call)
    items, end = all_of(service)
    assert items == []
    service.put({**call, "status": "COMPLETED"})
    assert [(i["callId"], i["version"]) for i in all_of(service, end)[0]] == [(call["id"], 2)]


def test_an_erased_call_leaves_its_tombstone(service):
    gone, kept = some_call(summary="told"), some_call()
    service.put(gone)
    service.put({**gone, "summary": "told again"})
    service.put(kept)
    _, end = all_of(service)
    assert service.request("DELETE", f"/v1/calls/{gone['id']}").status == 204
    later, _ = all_of(service, end)
    assert [(i["callId"], i["version"], i["erased"], i["call"]) for i in later] == [(gone["id"], 3, True, None)]
    items, _ = all_of(service)
    assert [(i["callId"], i["erased"]) for i in items] == [(kept["id"], False), (gone["id"], True)]


def test_who_waits_hears_of_it_at_once(service):
    _, end = all_of(service)
    waiters = [Waiter(service, f"wait=30&after={end}") for _ in range(3)]
    call = some_call()
    service.put(some_call(status="IN_PROGRESS"))
    service.put(call)
    for waiter in waiters:
        status, got = waiter.answer()
        assert (status, ids(got["content"])) == (200, [call["id"]])
    tombstone = Waiter(service, f"wait=30&after={got['next']}")
    service.request("DELETE", f"/v1/calls/{call['id']}")
    assert tombstone.answer()[1]["content"][0]["erased"]


def test_a_wait_without_news_ends_empty_and_keeps_its_place(service):
    call = some_call()
    service.put(call)
    _, end = all_of(service)
    assert page(service, end, wait=1) == {"content": [], "next": end}
    assert ids(page(service, wait=30)["content"]) == [call["id"]]


def test_writers_side_by_side_and_a_follower_that_misses_nothing(make_service):
    service = make_service("--dev").start()
    writers, calls_each = 4, 60
    written, refused = [[] for _ in range(writers)], []

    def write(at):
        for n in range(calls_each):
            call = some_call(context={"writer": str(at), "n": str(n)})
            if n % 3 == 0:
                service.put({**call, "status": "IN_PROGRESS"})
            if service.put(call).status not in (200, 201):
                refused.append(call)
            written[at].append(call["id"])
            if n % 7 == 0:
                lines = [some_call(context={"writer": str(at), "n": f"{n}.{i}"}) for i in range(20)]
                body = "".join(json.dumps(c) + "\n" for c in lines).encode()
                answer = service.request("POST", "/v1/calls/import", body,
                                         {"Content-Type": "application/x-ndjson"})
                assert answer.status == 200
                written[at] += [c["id"] for c in lines]

    threads = [threading.Thread(target=write, args=(at,)) for at in range(writers)]
    for thread in threads:
        thread.start()
    seen, after, size = [], None, 1
    total = writers * (calls_each + 20 * len(range(0, calls_each, 7)))
    while len(seen) < total:
        got = page(service, after, wait=5, size=size)
        size = size % 7 + 1
        after = got["next"]
        seen += got["content"]
        assert got["content"] or any(t.is_alive() for t in threads)
    for thread in threads:
        thread.join()
    assert not refused and all_of(service, after)[0] == []
    everyone = [i for own in written for i in own]
    assert sorted(ids(seen)) == sorted(everyone)
    for own in written:
        mine = set(own)
        assert [i for i in ids(seen) if i in mine] == own
    again, _ = all_of(service, size=100)
    assert again == seen


def test_the_end_is_known_without_reading_all(service):
    for _ in range(3):
        service.put(some_call())
    assert page(service, "end") == {"content": [], "next": all_of(service)[1]}
    waiters = [Waiter(service, "after=end&wait=30") for _ in range(MOST)]
    until_refused(service, "end", 429)
    call = some_call()
    service.put(call)
    for waiter in waiters:
        assert ids(waiter.answer()[1]["content"]) == [call["id"]]


def test_it_goes_on_after_a_crash(make_service):
    service = make_service("--dev").start()
    calls = [some_call() for _ in range(5)]
    for call in calls[:3]:
        service.put(call)
    first = page(service, size=2)
    service.kill()
    service.start()
    for call in calls[3:]:
        service.put(call)
    rest, _ = all_of(service, first["next"])
    assert ids(first["content"] + rest) == [c["id"] for c in calls]


def test_a_cursor_is_of_one_account_of_one_store(make_service, tmp_path):
    service = make_service("--dev").start()
    service.put(some_call())
    _, end = all_of(service)
    assert service.request("POST", "/v1/accounts", {"id": "other"}, headers=OPERATOR_HEADERS, key=None).status == 201
    other = {**OPERATOR_HEADERS, "X-Account-Id": "other"}
    own = {**OPERATOR_HEADERS, "X-Account-Id": "default"}
    assert service.request("GET", f"{PATH}?after={end}", headers=own, key=None).status == 200
    strangers = service.request("GET", PATH, headers=other, key=None).json()
    assert strangers["content"] == []
    made_up = [end[:-1] + ("A" if end[-1] != "A" else "B"), "AAAAAAAAAAAAAAAAAAAAAQ", "AAAAAAAAAAAAAAAAAAAAAA", "x",
               strangers["next"], str(uuid.uuid4()), "_" * 22]
    for after in made_up:
        answer = service.request("GET", f"{PATH}?after={after}&wait=30")
        assert answer.status == 400, (after, answer.body)
    assert service.request("GET", f"{PATH}?after={end}", headers=other, key=None).status == 400
    (tmp_path / "second").mkdir()
    second = make_service("--dev", store=f"sqlite:{tmp_path}/second/callhook.db").start()
    second.put(some_call())
    assert second.request("GET", f"{PATH}?after={end}").status == 400


def test_a_restored_store_takes_no_cursor_from_before(make_service, tmp_path):
    service = make_service("--dev").start()
    service.put(some_call())
    backup = tmp_path / "backup.db"
    assert subprocess.run([BINARY, "backup", "--store", service.store, str(backup)], check=False).returncode == 0
    lost = some_call()
    service.put(lost)
    _, end = all_of(service)
    service.stop()
    restored = subprocess.run([BINARY, "restore", "--store", service.store, "--force", str(backup)], check=False)
    assert restored.returncode == 0
    service.start()
    other = some_call()
    service.put(other)
    assert service.request("GET", f"{PATH}?after={end}").status == 400
    items, _ = all_of(service)
    assert len(items) == 2 and items[-1]["callId"] == other["id"]


@pytest.mark.parametrize("query", ["wait=31", "wait=-1", "wait=x", "wait=", "size=0", "size=101", "before=1", "wait=1&wait=2"])
def test_a_bad_query_is_refused(service, query):
    assert service.request("GET", f"{PATH}?{query}").status == 400


def test_who_waits_is_bounded_and_others_are_not_held_up(service):
    _, end = all_of(service)
    waiters = [Waiter(service, f"wait=30&after={end}") for _ in range(MOST)]
    answer = until_refused(service, end, 429)
    assert "retry-after" in answer.headers
    assert page(service, end)["content"] == []
    call = some_call()
    service.put(call)
    for waiter in waiters:
        assert ids(waiter.answer()[1]["content"]) == [call["id"]]


def test_a_stop_ends_the_wait(make_service):
    service = make_service("--dev").start()
    _, end = all_of(service)
    waiters = [Waiter(service, f"wait=30&after={end}") for _ in range(MOST)]
    until_refused(service, end, 429)
    service.stop()
    for waiter in waiters:
        assert waiter.answer() == (200, {"content": [], "next": end})


def test_an_account_that_goes_ends_its_wait(service):
    assert service.request("POST", "/v1/accounts", {"id": "other"}, headers=OPERATOR_HEADERS, key=None).status == 201
    other = {**OPERATOR_HEADERS, "X-Account-Id": "other"}
    end = service.request("GET", PATH, headers=other, key=None).json()["next"]
    waiter = Waiter(service, f"wait=30&after={end}", other)
    own = Waiter(service, "wait=30")
    assert service.request("DELETE", "/v1/accounts/other", headers=OPERATOR_HEADERS, key=None).status == 204
    assert waiter.answer()[0] == 404
    call = some_call()
    service.put(call)
    assert ids(own.answer()[1]["content"]) == [call["id"]]


def test_what_may_not_read_calls_may_not_follow_them(service):
    token = service.request("POST", "/v1/auth/token", {"scope": ["integrations:read"]}).json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert service.request("GET", PATH, headers=bearer, key=None).status == 403
    assert service.request("GET", PATH, key=None).status == 401
    head = service.request("HEAD", f"{PATH}?wait=30")
    assert (head.status, head.body) == (200, b"")
