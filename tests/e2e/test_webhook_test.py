"""A test call: on the path of a real delivery, outside the ledger, answered with what happened."""
import hashlib
import hmac
import http.client
import json
import socket
import threading

import pytest

from conftest import API_KEY, some_call


def try_it(service, webhook):
    return service.request("POST", f"/v1/webhooks/{webhook}/test")


def deliveries(service):
    return service.request("GET", "/v1/deliveries").json()["content"]


def test_it_goes_out_signed_as_a_delivery_does_and_is_shown(make_service, receiver):
    service = make_service("--dev").start()
    webhook, secret = service.webhook(receiver.url())
    answer = try_it(service, webhook)
    assert answer.status == 200, answer.body
    shown = answer.json()
    got = receiver.next()
    assert shown["ok"] is True and shown["url"] == receiver.url()
    assert shown["body"].encode() == got.body
    assert shown["attempt"]["status"] == 200 and shown["attempt"]["outcome"] == "answered"
    assert got.headers["x-webhook-test"] == "true"
    assert got.headers["x-webhook-signature"] == hmac.new(secret.encode(), got.body, hashlib.sha256).hexdigest()
    names = [h["name"] for h in shown["attempt"]["requestHeaders"]]
    assert "X-Webhook-Signature" in names and "webhook-id" in names
    assert deliveries(service) == []


def test_the_example_is_a_record_in_the_canonical_form(make_service, receiver):
    """What a receiver is tested with looks as what it will get: PUT as it is, it comes back byte for byte."""
    service = make_service("--dev").start()
    webhook, _ = service.webhook(receiver.url())
    body = try_it(service, webhook).json()["body"]
    call = json.loads(body)
    assert service.put({**call, "status": "IN_PROGRESS"}).status == 201
    assert service.request("PUT", f"/v1/calls/{call['id']}", body.encode(),
                           {"Content-Type": "application/json"}).body.decode() == body


@pytest.mark.parametrize("statuses", [["FAILED"], ["NO_ANSWER", "VOICE_BOX"], ["COMPLETED", "FAILED"]])
def test_its_status_and_agent_are_ones_that_the_webhook_asks_for(make_service, receiver, statuses):
    service = make_service("--dev").start()
    agent = some_call()["agentId"]
    made = service.request("POST", "/v1/webhooks", {"url": receiver.url(), "statuses": statuses, "agentIds": [agent]})
    call = json.loads(try_it(service, made.json()["id"]).json()["body"])
    assert call["status"] in statuses and call["agentId"] == agent


def test_a_refusal_is_shown_with_its_words(make_service, receiver):
    service = make_service("--dev").start()
    webhook, _ = service.webhook(receiver.url())
    receiver.answers.put((500, {"Content-Type": "text/plain"}, b"no database today"))
    shown = try_it(service, webhook).json()
    assert shown["ok"] is False
    assert shown["attempt"]["status"] == 500 and shown["attempt"]["answer"] == "no database today"


def test_nobody_there_is_shown_too(make_service):
    service = make_service("--dev").start()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{s.getsockname()[1]}/"
        webhook, _ = service.webhook(url)
        shown = try_it(service, webhook).json()
    assert shown["ok"] is False and shown["attempt"]["outcome"] == "refused"
    assert shown["attempt"]["status"] is None


def test_it_goes_while_the_webhook_is_off(make_service, receiver):
    service = make_service("--dev").start()
    webhook, _ = service.webhook(receiver.url())
    assert service.request("POST", f"/v1/webhooks/{webhook}/disable").status == 200
    assert try_it(service, webhook).json()["ok"] is True
    assert service.request("GET", f"/v1/webhooks/{webhook}").json()["state"] == "DISABLED"


def test_one_that_succeeds_ends_dead(make_service, receiver):
    service = make_service("--dev").start()
    webhook, _ = service.webhook(receiver.url())
    for _ in range(100):
        receiver.answers.put((500, {}, b""))
    for _ in range(30):
        service.put(some_call())
    dead = service.wait_for(f"/v1/webhooks/{webhook}", lambda w: w["state"] == "DEAD")
    assert dead["reason"]
    while not receiver.answers.empty():
        receiver.answers.get_nowait()
    assert try_it(service, webhook).json()["ok"] is True
    service.wait_for("/v1/deliveries", lambda page: any(d["state"] == "DELIVERED" for d in page["content"]))
    assert service.request("GET", f"/v1/webhooks/{webhook}").json()["state"] == "READY"


def test_a_name_that_leads_to_a_private_address_is_refused(make_service, receiver, names):
    """The guard stands where the connection is made, for a test as for a delivery."""
    server = names({"private.test": ["127.0.0.1"]})
    service = make_service("--allow-http", "--dns-server", server.address).start()
    webhook, _ = service.webhook(receiver.url("private.test"))
    shown = try_it(service, webhook).json()
    assert shown["ok"] is False and shown["attempt"]["outcome"] == "address", shown
    assert receiver.got.empty()


def test_a_url_that_is_no_longer_allowed_is_said(make_service, receiver):
    service = make_service("--dev").start()
    webhook, _ = service.webhook(receiver.url())
    service.stop()
    service = make_service(store=service.store).start()
    shown = try_it(service, webhook).json()
    assert shown["ok"] is False and shown["attempt"]["outcome"] == "local", shown
    assert "URL" in shown["attempt"]["detail"]
    assert receiver.got.empty()


class Silent:
    """Takes connections and says nothing until it is told to go."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.taken = threading.Semaphore(0)
        self.connections = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                self.connections.append(self.listener.accept()[0])
                self.taken.release()
        except OSError:
            pass

    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/"

    def answer_all(self):
        for one in self.connections:
            one.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    def answer_next(self):
        assert self.taken.acquire(timeout=60)
        self.connections[-1].sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    def close(self):
        self.listener.close()
        for one in self.connections:
            one.close()


@pytest.fixture
def silent():
    one = Silent()
    yield one
    one.close()


def test_one_at_a_time_and_two_of_an_account(make_service, silent):
    service = make_service("--dev").start()
    webhooks = [service.webhook(f"{silent.url()}{i}")[0] for i in range(3)]
    answers = {}

    def ask(webhook):
        answers[webhook] = try_it(service, webhook)

    under_way = [threading.Thread(target=ask, args=(w,)) for w in webhooks[:2]]
    for thread in under_way:
        thread.start()
        assert silent.taken.acquire(timeout=60)
    assert try_it(service, webhooks[0]).status == 409
    third = try_it(service, webhooks[2])
    assert third.status == 429 and int(third.headers["retry-after"]) > 0
    silent.answer_all()
    for thread in under_way:
        thread.join()
    assert [answers[w].json()["ok"] for w in webhooks[:2]] == [True, True]


def test_stopping_ends_one_that_hangs(make_service, silent):
    service = make_service("--dev", "--grace", "1").start()
    webhook, _ = service.webhook(silent.url())
    answers = []
    asking = threading.Thread(target=lambda: answers.append(try_it(service, webhook)))
    asking.start()
    assert silent.taken.acquire(timeout=60)
    service.stop()
    asking.join()
    assert answers[0].status == 200
    shown = answers[0].json()
    assert shown["ok"] is False and shown["attempt"]["outcome"] == "local", shown
    assert "cancel" in shown["attempt"]["detail"]


def test_who_leaves_during_one_harms_nobody(make_service, silent):
    service = make_service("--dev").start()
    webhook, _ = service.webhook(silent.url())
    leaving = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    leaving.request("POST", f"/v1/webhooks/{webhook}/test", headers={"X-Api-Key": API_KEY})
    assert silent.taken.acquire(timeout=60)
    leaving.close()
    silent.answer_all()
    # The next one may go as soon as the first has ended, which is what is waited for here.
    asked = threading.Thread(target=silent.answer_next)
    asked.start()
    answer = try_it(service, webhook)
    while answer.status == 409:
        answer = try_it(service, webhook)
    asked.join()
    assert answer.json()["ok"] is True


def test_a_webhook_that_is_not_there_and_a_body_that_does_not_belong(make_service, receiver):
    service = make_service("--dev").start()
    webhook, _ = service.webhook(receiver.url())
    assert try_it(service, "01890000-0000-7000-8000-000000000000").status == 404
    wrong = service.request("POST", f"/v1/webhooks/{webhook}/test", {"status": "COMPLETED"})
    assert wrong.status == 400 and wrong.json()["errors"][0]["pointer"] == "/status"
