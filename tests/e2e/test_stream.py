"""Attempts as server-sent events: nothing twice, nothing left out, whoever comes and goes."""
import http.client
import json
import socket
import time

import pytest
from conftest import API_KEY, OPERATOR, PATIENCE, some_call

PATH = "/v1/deliveries/stream"


class Stream:
    def __init__(self, service, query="", last=None, headers=None, small=False):
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        if small:
            self.connection.connect()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        heads = {"X-Api-Key": API_KEY} if headers is None else dict(headers)
        if last:
            heads["Last-Event-ID"] = last
        self.connection.request("GET", PATH + query, headers=heads)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.id = None
        assert self.block() == {"retry": "1000"} and self.id

    def block(self):
        """One block of the stream, None at its end; its id is kept."""
        fields = {}
        for line in iter(lambda: self.response.readline().decode(), ""):
            name, _, value = line.rstrip("\n").partition(": ")
            if line == "\n":
                return fields
            if name == "id":
                self.id = value
            elif not line.startswith(":"):
                fields[name] = value
        assert not fields
        return None

    def event(self):
        while True:
            block = self.block()
            if block is None:
                return None
            if block:
                assert block["event"] == "attempt"
                return json.loads(block["data"])

    def close(self):
        self.response.close()
        self.connection.close()


def test_an_attempt_comes_as_it_happens(service, receiver):
    webhook, _ = service.webhook(receiver.url())
    stream = Stream(service)
    assert stream.response.headers["Content-Type"] == "text/event-stream"
    assert stream.response.headers["Cache-Control"] == "private, no-cache"
    call = some_call()
    service.put(call)
    event = stream.event()
    shown = service.request("GET", f"/v1/deliveries/{event['deliveryId']}").json()
    attempt = shown["attempts"][0]
    assert event == {"attemptId": attempt["id"], "deliveryId": shown["id"], "webhookId": webhook, "callId": call["id"],
                     "time": attempt["time"], "outcome": "answered", "status": 200,
                     "totalMs": attempt["timings"]["total"], "state": "DELIVERED"}
    stream.close()


def test_who_comes_back_misses_nothing_and_gets_nothing_twice(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    stream = Stream(service)
    calls = [some_call() for _ in range(250)]
    for call in calls[:100]:
        service.put(call)
    seen = [stream.event()["callId"] for _ in range(40)]
    place = stream.id
    stream.close()
    for call in calls[100:]:
        service.put(call)
    for _ in calls:
        receiver.next()
    service.stop()
    service.start()
    for query, last in (("", place), (f"?after={place}", None), ("?after=AAAAAAAAAAAAAAAAAAAAAQ", place)):
        again = Stream(service, query, last)
        rest = [again.event()["callId"] for _ in range(210)]
        assert sorted(seen + rest) == sorted(c["id"] for c in calls)
        again.close()


def test_a_place_is_known_before_the_first_event(service, receiver):
    service.webhook(receiver.url())
    stream = Stream(service)
    place = stream.id
    stream.close()
    call = some_call()
    service.put(call)
    service.wait_delivery(call["id"], "DELIVERED")
    again = Stream(service, last=place)
    assert again.event()["callId"] == call["id"]
    again.close()


def test_only_the_webhook_that_was_asked_for(service, make_receiver):
    first, _ = service.webhook(make_receiver().url())
    second, _ = service.webhook(make_receiver().url())
    stream = Stream(service, f"?webhookId={second}")
    calls = [some_call() for _ in range(5)]
    for call in calls:
        service.put(call)
    events = [stream.event() for _ in calls]
    assert {e["webhookId"] for e in events} == {second} and first != second
    assert {e["callId"] for e in events} == {c["id"] for c in calls}
    stream.close()


def test_another_accounts_attempts_stay_its_own(service, receiver):
    operator = {"Authorization": f"Bearer {OPERATOR}"}
    made = service.request("POST", "/v1/accounts", {"id": "other"}, headers=operator, key=None)
    assert made.status == 201, made.body
    other = {**operator, "X-Account-Id": "other"}
    service.webhook(receiver.url())
    service.request("POST", "/v1/webhooks", {"url": receiver.url()}, headers=other, key=None)
    own, others = Stream(service), Stream(service, headers=other)
    theirs, mine = some_call(), some_call()
    service.put(theirs, headers=other, key=None)
    receiver.next()
    service.put(mine)
    assert own.event()["callId"] == mine["id"]
    assert others.event()["callId"] == theirs["id"]
    own.close()
    others.close()


def test_a_stop_ends_streams_at_once(make_service):
    service = make_service("--dev").start()
    streams = [Stream(service) for _ in range(3)]
    service.stop()
    assert [s.block() for s in streams] == [None] * 3


def test_a_stop_does_not_wait_for_a_reader_that_does_not_read(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    stream = Stream(service)
    for _ in range(50):
        service.put(some_call())
        receiver.next()
    service.stop()
    stream.close()


def test_streams_of_an_account_are_bounded(service):
    streams = [Stream(service) for _ in range(16)]
    answer = service.request("GET", PATH)
    assert answer.status == 429 and "retry-after" in answer.headers
    for stream in streams:
        stream.close()
    until = time.monotonic() + PATIENCE
    while service.request("HEAD", PATH).status != 200:
        assert time.monotonic() < until, "the places of those who left are never free"


def test_who_reads_late_gets_all_in_order(service, receiver):
    """With little room between the two, so that most of it is read from the store when the reader comes for it."""
    service.webhook(receiver.url())
    stream = Stream(service, small=True)
    place = stream.id
    calls = [some_call() for _ in range(1000)]
    lines = "".join(json.dumps(c) + "\n" for c in calls).encode()
    imported = service.request("POST", "/v1/calls/import", lines, {"Content-Type": "application/x-ndjson"})
    assert imported.status == 200
    for _ in calls:
        receiver.next()
    late = []
    for _ in calls:
        late.append((stream.event(), stream.id))
    assert sorted(e["callId"] for e, _ in late) == sorted(c["id"] for c in calls)
    stream.close()
    again = Stream(service, last=place)
    assert [(again.event()["attemptId"], again.id) for _ in calls] == [(e["attemptId"], i) for e, i in late]
    again.close()


@pytest.mark.parametrize("query,headers,status", [
    ("?after=x", {}, 400), ("?webhookId=x", {}, 400), ("?size=1", {}, 400), ("", {"Last-Event-ID": "nonsense"}, 400),
    ("?after=AAAAAAAAAAAAAAAAAAAP_w", {}, 410), ("", {"Last-Event-ID": "AAAAAAAAAAAAAAAAAAAP_w"}, 410)])
def test_bad_places_are_refused(service, query, headers, status):
    answer = service.request("GET", PATH + query, headers=headers)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_head_request_ends(service):
    answer = service.request("HEAD", PATH)
    assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream" and answer.body == b""
