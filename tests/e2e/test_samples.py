"""The guide's receivers (docs/samples): each takes what the service sends, and nothing that was touched."""
import base64
import hashlib
import hmac
import http.client
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from conftest import PATIENCE, ROOT, some_call

SAMPLES = os.path.join(ROOT, "docs", "samples")
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CALL = some_call(summary="Rückruf für Zoë 🎉 \u2028 <&> \\ \"", context={"10": 0.1, "2": 1e21, "": {"日本": "語"}})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What has to be compiled: once for all tests."""
    folder = str(tmp_path_factory.mktemp("samples"))
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", f"{folder}/receiver",
                    os.path.join(SAMPLES, "receiver.c"), "-levent", "-lcrypto"], check=True)
    subprocess.run(["javac", "-Werror", "-Xlint:all", "-encoding", "UTF-8", "-d", folder,
                    os.path.join(SAMPLES, "Receiver.java")], check=True)
    return folder


def command(name, folder, port):
    return {"java": ["java", "-cp", folder, "Receiver", port],
            "python": ["python3", os.path.join(SAMPLES, "receiver.py"), port],
            "node": ["node", os.path.join(SAMPLES, "receiver.mjs"), port],
            "c": [f"{folder}/receiver", port],
            "webhook": ["webhook", "-template", "-hooks", os.path.join(SAMPLES, "webhook.json"), "-ip", "127.0.0.1",
                        "-port", port, "-urlprefix", "", "-verbose"]}[name]


class Sample:
    """One running receiver of the guide."""

    def __init__(self, name, folder, secret):
        self.path = "/calls"
        # `webhook` does not say which port it was given, so one is looked for.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1] if name == "webhook" else 0
        environment = {**os.environ, "WEBHOOK_SECRET": secret,
                       "WEBHOOK_COMMAND": os.path.join(SAMPLES, "webhook-command.sh")}
        self.process = subprocess.Popen(command(name, folder, str(self.port)), env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = []
        ready = re.compile(r"listening on port (\d+)|serving hooks on")
        for line in self.process.stdout:
            self.lines.append(line)
            found = ready.search(line)
            if found:
                self.port = int(found.group(1) or self.port)
                break
        else:
            raise AssertionError(f"{name} did not start: {''.join(self.lines)}")
        self.reader = threading.Thread(target=self.lines.extend, args=(self.process.stdout,))
        self.reader.start()

    def post(self, headers, body):
        """Asked anew until it listens: `webhook` says that it serves before it does."""
        until = time.monotonic() + PATIENCE
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.request("POST", self.path, body, headers)
                return connection.getresponse().status
            except ConnectionRefusedError:
                assert time.monotonic() < until, "".join(self.lines)
            finally:
                connection.close()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)
        self.reader.join()
        self.process.stdout.close()
        return "".join(self.lines)


@pytest.fixture(params=["java", "python", "node", "c", "webhook"])
def sample(request, built):
    if request.param != "python":
        assert shutil.which({"c": "cc"}.get(request.param, request.param)), f"{request.param} is not installed"
    running = []

    def start(secret):
        running.append(Sample(request.param, built, secret))
        return running[-1]
    # `webhook` answers 500 to a signature that does not fit.
    start.refusals = (401, 500) if request.param == "webhook" else (401,)
    yield start
    for one in running:
        if one.process.poll() is None:
            one.stop()


def test_the_service_delivers_to_it(sample, make_receiver, service):
    """The webhook's URL is changed to the sample's once the secret is known to it."""
    made, secret = service.webhook(make_receiver().url())
    running = sample(secret)
    # Not genuine and not JSON, but an answer: it listens.
    assert running.post({"Content-Type": "text/plain"}, b"") in sample.refusals
    changed = service.request("PATCH", f"/v1/webhooks/{made}", {"url": f"http://127.0.0.1:{running.port}/calls"})
    assert changed.status == 200, changed.body
    assert service.put(CALL).status == 201
    delivery = service.wait_delivery(CALL["id"], "DELIVERED")
    assert f"call {delivery['id']}" in running.stop()


def standard(secret, headers, body, timestamp):
    key = base64.b64decode(secret[len("whsec_"):])
    text = f"{headers['webhook-id']}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def test_it_refuses_what_is_not_as_it_was_sent(sample, receiver, service):
    _, secret = service.webhook(receiver.url())
    assert service.put(CALL).status == 201
    got = receiver.next()
    running = sample(secret)
    headers = {name: got.headers[name] for name in
               ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature", "x-webhook-signature")}
    assert running.post(headers, got.body) in (200, 204)
    # Both signatures of a rotation: the one that fits may be the second.
    other = standard(OTHER_SECRET, headers, got.body, headers["webhook-timestamp"])
    both = {**headers, "webhook-signature": other + " " + headers["webhook-signature"]}
    assert running.post(both, got.body) in (200, 204)

    changed = got.body.replace(b"Zo", b"zo", 1)
    assert changed != got.body
    for what, body in {"content": changed, "a space": got.body.replace(b":", b": ", 1), "less": got.body[:-1],
                       "more": got.body + b"\n"}.items():
        assert running.post(headers, body) in sample.refusals, what
    assert sample(OTHER_SECRET).post(headers, got.body) in sample.refusals

    assert running.post({**headers, "webhook-signature": other}, got.body) in sample.refusals
    assert running.post({**headers, "webhook-id": CALL["id"]}, got.body) in sample.refusals
    for seconds in (-301, 360):
        moved = str(int(time.time()) + seconds)
        signature = standard(secret, headers, got.body, moved)
        signed = {**headers, "webhook-timestamp": moved, "webhook-signature": signature}
        assert running.post(signed, got.body) in sample.refusals, seconds
    unsigned = {name: value for name, value in headers.items() if not name.endswith("signature")}
    assert running.post(unsigned, got.body) in sample.refusals
