"""The real binary, real receivers, real name servers - all on loopback."""
import http.client
import http.server
import json
import os
import queue
import re
import signal
import socket
import subprocess
import threading
import time
import uuid

import pytest

import openapi_answers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("CALLHOOK", os.path.join(ROOT, "build", "callhook"))
API_KEY = "test-key-0123456789abcdef"
OPERATOR = "operator-token-0123456789abcdef0123456789"
PATIENCE = 60  # seconds until a test that waits for something gives up


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: worth running under ThreadSanitizer too")


def seed_call():
    with open(os.path.join(ROOT, "tests", "data", "seed-call.json"), encoding="utf-8") as f:
        return json.load(f)


def some_call(**changes):
    return {"id": str(uuid.uuid4()), "agentId": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "type": "INBOUND",
            "status": "COMPLETED", **changes}


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {k.lower(): v for k, v in headers}
        self.body = body

    def json(self):
        return json.loads(self.body)


class Service:
    """One `callhook serve`; stopping it checks that it ended well and that no sanitizer complained."""

    def __init__(self, folder, *options, env=None, store=None):
        self.folder = str(folder)
        self.store = store or f"sqlite:{self.folder}/callhook.db"
        self.options = options
        self.env = env or {}
        self.process = None

    def command(self):
        return [BINARY, "serve", "--listen", "127.0.0.1:0", "--store", self.store, *self.options]

    def environment(self):
        return {**os.environ, "CALLHOOK_API_KEY": API_KEY, "CALLHOOK_OPERATOR_TOKEN": OPERATOR,
                "CALLHOOK_RATE_LIMIT": "off", **self.env}

    def start(self):
        self.log = open(f"{self.folder}/serve.log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=self.environment())
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            ready = re.search(r"ready on https?://127\.0\.0\.1:(\d+)", line)
            if ready:
                self.port = int(ready.group(1))
                return self
        raise AssertionError(f"serve did not start:\n{self.logged()}")

    def said(self):
        """On standard output, until it was ready."""
        return "".join(self.lines)

    def logged(self):
        with open(f"{self.folder}/serve.log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()
        self.process = None
        self.log.close()
        assert code == 0, f"serve ended with {code}:\n{self.logged()[-4000:]}"

    def request(self, method, path, body=None, headers=None, key=API_KEY):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        heads = {"X-Api-Key": key} if key else {}
        asked = body
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            heads["Content-Type"] = "application/json"
        heads.update(headers or {})
        connection.request(method, path, body, heads)
        response = connection.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read())
        connection.close()
        openapi_answers.check(method, path, asked, answer)
        return answer

    def put(self, call, query="", **kwargs):
        return self.request("PUT", f"/v1/calls/{call['id']}{query}", call, **kwargs)

    def webhook(self, url, secret=True, **settings):
        """Creates a webhook; returns (id, secret)."""
        answer = self.request("POST", "/v1/webhooks", {"url": url, **settings})
        assert answer.status == 201, answer.body
        made = answer.json()["id"]
        if not secret:
            return made, None
        answer = self.request("POST", f"/v1/webhooks/{made}/secret")
        assert answer.status in (200, 201), answer.body
        return made, answer.json()["secret"]

    def wait_for(self, path, condition):
        """Asks until the answer is as wanted; each round waits for the server's answer, not for a clock."""
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.request("GET", path)
            if answer.status == 200 and condition(answer.json()):
                return answer.json()
            assert time.monotonic() < until, f"{path} never became as wanted: {answer.body[:2000]}"

    def wait_delivery(self, call_id, state):
        found = self.wait_for(f"/v1/deliveries?callId={call_id}",
                              lambda page: any(d["state"] == state for d in page["content"]))
        return next(d for d in found["content"] if d["state"] == state)


class Received:
    def __init__(self, path, headers, body):
        self.path = path
        self.header_lines = headers
        self.headers = {k.lower(): v for k, v in headers}
        self.body = body


class Receiver:
    """A customer's endpoint: keeps what came; `answers` says what to reply, 200 when it is empty."""

    def __init__(self):
        self.got = queue.Queue()
        self.answers = queue.Queue()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.put(Received(self.path, self.headers.items(), body))
                try:
                    status, headers, text = outer.answers.get_nowait()
                except queue.Empty:
                    status, headers, text = 200, {}, b"ok"
                if callable(text):
                    text = text()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, host="127.0.0.1", path="/hook"):
        return f"http://{host}:{self.port}{path}"

    def next(self):
        return self.got.get(timeout=PATIENCE)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class NameServer:
    """Answers A questions from a table; names that are not in it get silence."""

    def __init__(self, table):
        self.table = table
        self.asked = queue.Queue()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            name, at = "", 12
            while packet[at]:
                name += packet[at + 1:at + 1 + packet[at]].decode() + "."
                at += 1 + packet[at]
            kind = int.from_bytes(packet[at + 1:at + 3], "big")
            name = name[:-1].lower()
            self.asked.put(name)
            if name not in self.table:
                continue
            addresses = self.table[name] if kind == 1 else []
            head = packet[:2] + b"\x81\x80\0\1" + len(addresses).to_bytes(2, "big") + b"\0\0\0\0"
            rows = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x01\0\4" + socket.inet_aton(a) for a in addresses)
            self.socket.sendto(head + packet[12:at + 5] + rows, peer)

    def close(self):
        self.socket.close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def make_receiver():
    made = []

    def make():
        made.append(Receiver())
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def names():
    """Name servers of a test, each with its table of names and addresses."""
    made = []

    def make(table):
        made.append(NameServer(table))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def make_service(tmp_path):
    made = []

    def make(*options, **kwargs):
        made.append(Service(tmp_path, *options, **kwargs))
        return made[-1]
    yield make
    for one in made:
        if one.process:
            one.stop()


@pytest.fixture
def service(make_service):
    return make_service("--dev").start()
