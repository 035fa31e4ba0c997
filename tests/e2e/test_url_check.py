"""What would go wrong with a URL: the way of a delivery, without the POST."""
import datetime
import http.client
import queue
import re
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import API_KEY, OPERATOR, PATIENCE, some_call

STEPS = ["url", "dns", "address", "connect", "tls"]


def check(service, url, **kwargs):
    answer = service.request("POST", "/v1/webhooks/check", {"url": url}, **kwargs)
    assert answer.status == 200, answer.body
    found = answer.json()
    assert [c["name"] for c in found["checks"]] == STEPS
    assert found["ok"] == all(c["result"] != "failed" for c in found["checks"])
    return found


def results(found):
    return [c["result"] for c in found["checks"]]


def said(found, step):
    return found["checks"][STEPS.index(step)]["detail"]


class Silent:
    """Takes connections, keeps what comes and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
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

    def close(self):
        self.listener.close()
        for one in self.connections:
            one.close()


@pytest.fixture
def silent():
    one = Silent()
    yield one
    one.close()


class Encrypted:
    """Speaks TLS and notes what comes inside."""

    def __init__(self, folder, name, days):
        self.cert, key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                        "-keyout", key, "-out", self.cert], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.inside = queue.Queue()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                raw = self.listener.accept()[0]
            except OSError:
                return
            try:
                with self.context.wrap_socket(raw, server_side=True) as tls:
                    self.inside.put(tls.recv(1000))
            except (ssl.SSLError, ConnectionError):
                self.inside.put(None)

    def end(self):
        """No more comes; what came inside, connection by connection."""
        socket.create_connection(("127.0.0.1", self.port)).close()
        got = list(iter(lambda: self.inside.get(timeout=PATIENCE), None))
        self.listener.close()
        return got


def test_a_good_one_is_found_good_and_gets_no_request(make_service, names, tmp_path):
    endpoint = Encrypted(tmp_path, "crm.test", 300)
    server = names({"crm.test": ["10.9.8.7", "127.0.0.1"]})
    service = make_service("--allow-network", "127.0.0.0/8", "--ca-file", endpoint.cert,
                           "--dns-server", server.address).start()
    found = check(service, f"HTTPS://CRM.test:{endpoint.port}/hook?a=b")
    assert found["ok"] is True, found
    assert results(found) == ["ok"] * 5
    assert found["url"] == f"https://crm.test:{endpoint.port}/hook?a=b"
    assert found["address"] == "127.0.0.1" and found["tlsVersion"] == "TLSv1.3"
    assert "10.9.8.7" in said(found, "dns") and "127.0.0.1" in said(found, "dns")
    assert said(found, "address").startswith("10.9.8.7 is refused: private")
    assert said(found, "connect") == f"127.0.0.1 port {endpoint.port}"
    assert said(found, "tls") is None
    assert endpoint.end() == [b""]


def test_a_certificate_that_ends_soon_is_said(make_service, names, tmp_path):
    endpoint = Encrypted(tmp_path, "crm.test", 9)
    server = names({"crm.test": ["127.0.0.1"]})
    service = make_service("--dev", "--ca-file", endpoint.cert, "--dns-server", server.address).start()
    found = check(service, f"https://crm.test:{endpoint.port}/")
    assert found["ok"] is True
    assert re.fullmatch("the certificate ends in [89] days", said(found, "tls"))
    end = datetime.datetime.fromisoformat(found["certificateEnd"].replace("Z", "+00:00"))
    assert end > datetime.datetime.now(datetime.timezone.utc)
    endpoint.end()


def test_a_certificate_that_is_not_trusted_or_for_another_name(make_service, names, tmp_path):
    endpoint = Encrypted(tmp_path, "crm.test", 300)
    server = names({"crm.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})
    service = make_service("--dev", "--dns-server", server.address).start()
    found = check(service, f"https://crm.test:{endpoint.port}/")
    assert results(found) == ["ok", "ok", "ok", "ok", "failed"]
    assert said(found, "tls") == "the certificate is self-signed"
    assert found["address"] == "127.0.0.1" and found["certificateEnd"]
    service.stop()
    service = make_service("--dev", "--ca-file", endpoint.cert, "--dns-server", server.address).start()
    found = check(service, f"https://other.test:{endpoint.port}/")
    assert results(found) == ["ok", "ok", "ok", "ok", "failed"]
    assert "another name" in said(found, "tls")
    endpoint.end()


def test_a_plain_one_is_connected_to_and_gets_no_byte(service, silent):
    found = check(service, f"http://127.0.0.1:{silent.port}/")
    assert found["ok"] is True
    assert results(found) == ["ok", "skipped", "ok", "ok", "skipped"]
    assert silent.taken.acquire(timeout=PATIENCE)
    assert silent.connections[0].recv(100) == b""
    assert found["tlsVersion"] is None and found["certificateEnd"] is None


@pytest.mark.parametrize("url, words", [
    ("https://user:pw@example.com/", "user name"), ("https://localhost/", "loopback"),
    ("https://[::ffff:10.0.0.1]/", "private"), ("http://example.com/", "plain http"), ("", "empty"),
    ("https://example.com/#here", "fragment"), ("https://example.com/" + "a" * 3000, "2048"),
    ("ftp://example.com/", "https://"), ("nonsense", "https://"), ("https://exa mple.com/", "spaces")])
def test_what_no_webhook_may_have_is_said(make_service, url, words):
    found = check(make_service().start(), url)
    assert results(found) == ["failed"] + ["skipped"] * 4
    assert words in said(found, "url")
    assert found["url"] is None and found["address"] is None


def test_names_that_lead_nowhere_or_inside(make_service, names, receiver):
    server = names({"none.test": [], "inner.test": ["10.0.0.7", "127.0.0.1", "169.254.169.254"]})
    service = make_service("--allow-http", "--dns-server", server.address).start()
    found = check(service, receiver.url("none.test"))
    assert results(found) == ["ok", "failed", "skipped", "skipped", "skipped"]
    assert "none.test" in said(found, "dns")
    found = check(service, receiver.url("inner.test"))
    assert results(found) == ["ok", "ok", "failed", "skipped", "skipped"]
    for refused in ("10.0.0.7 is refused: private", "127.0.0.1 is refused: loopback", "169.254.169.254 is refused"):
        assert refused in said(found, "address")
    assert found["address"] is None
    assert receiver.got.empty()


def test_nobody_there(service):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        found = check(service, f"https://127.0.0.1:{s.getsockname()[1]}/")
    assert results(found) == ["ok", "skipped", "ok", "failed", "skipped"]
    assert "refused" in said(found, "connect")


def test_no_tls_behind_https(service, receiver):
    found = check(service, receiver.url().replace("http:", "https:"))
    assert results(found) == ["ok", "skipped", "ok", "ok", "failed"]
    assert receiver.got.empty()


def test_ten_a_minute_and_account(service, receiver):
    for _ in range(10):
        assert check(service, receiver.url())["ok"]
    assert check(service, "nonsense")["ok"] is False  # what does not go out is not counted
    over = service.request("POST", "/v1/webhooks/check", {"url": receiver.url()})
    assert over.status == 429 and 1 <= int(over.headers["retry-after"]) <= 60
    assert check(service, receiver.url(), key=None, headers={"Authorization": f"Bearer {OPERATOR}"})["ok"]
    made = service.request("POST", "/v1/accounts", {"name": "other"}, key=None,
                           headers={"Authorization": f"Bearer {OPERATOR}"}).json()
    assert check(service, receiver.url(), key=made["keys"]["primary"])["ok"]


def test_it_leaves_a_webhook_alone(service, receiver):
    """The same URL, a kept connection: the check makes its own and nothing is counted for the webhook."""
    webhook, _ = service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    assert check(service, receiver.url())["ok"]
    shown = service.request("GET", f"/v1/webhooks/{webhook}").json()
    assert shown["state"] == "READY" and shown["parked"] == 0
    assert receiver.got.empty()
    service.put(some_call())
    receiver.next()


def test_what_belongs_in_the_body(service):
    for body, pointer in [({}, "/url"), ({"url": 7}, "/url"), ({"url": "https://a.example/", "x": 1}, "/x")]:
        answer = service.request("POST", "/v1/webhooks/check", body)
        assert answer.status == 400
        assert pointer in [e["pointer"] for e in answer.json()["errors"]], answer.body


def ask(service, url, answers):
    answers.append(service.request("POST", "/v1/webhooks/check", {"url": url}))


def test_a_handshake_that_hangs_ends(service, silent):
    found = check(service, f"https://127.0.0.1:{silent.port}/")
    assert results(found) == ["ok", "skipped", "ok", "ok", "failed"]
    assert "not finished in time" in said(found, "tls")


def test_stopping_ends_one_that_hangs(make_service, silent):
    service = make_service("--dev", "--grace", "1").start()
    answers = []
    asking = threading.Thread(target=ask, args=(service, f"https://127.0.0.1:{silent.port}/", answers))
    asking.start()
    assert silent.taken.acquire(timeout=PATIENCE)
    service.stop()
    asking.join()
    assert answers[0].status == 503 and "stopping" in answers[0].json()["detail"]


def test_who_leaves_during_one_harms_nobody(service, silent, receiver):
    leaving = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    leaving.request("POST", "/v1/webhooks/check", f'{{"url":"https://127.0.0.1:{silent.port}/"}}',
                    {"X-Api-Key": API_KEY, "Content-Type": "application/json"})
    assert silent.taken.acquire(timeout=PATIENCE)
    leaving.close()
    assert check(service, receiver.url())["ok"]
    silent.connections[0].close()
