"""Ending: what is in flight, what comes too late, and a disk that takes nothing more."""
import http.client
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from conftest import API_KEY, PATIENCE, some_call


def ended(service):
    """Waits for the end that was asked for; the next start finds the same store."""
    code = service.process.wait(timeout=PATIENCE)
    service.process.stdout.close()
    service.process = None
    service.log.close()
    return code


def signalled(service, number=signal.SIGTERM):
    service.process.send_signal(number)


def wait_logged(service, words):
    until = time.monotonic() + PATIENCE
    while words not in service.logged():
        assert time.monotonic() < until, service.logged()[-4000:]


@pytest.fixture
def hold(receiver):
    """The receiver keeps its first caller waiting until the event is set."""
    release = threading.Event()
    receiver.answers.put((200, {}, lambda: release.wait(PATIENCE) and b"late"))
    yield release
    release.set()


def test_an_attempt_that_ends_within_the_grace_is_recorded(make_service, receiver, hold):
    service = make_service("--dev", "--grace", "60").start()
    service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    signalled(service)
    wait_logged(service, "stopping")
    hold.set()
    assert ended(service) == 0
    service.start()
    delivery = service.wait_delivery(call["id"], "DELIVERED")
    assert (delivery["tries"], delivery["attemptCount"]) == (1, 1)
    assert receiver.got.empty()


def test_an_attempt_that_hangs_is_cut_at_the_grace_and_stays_pending(make_service, receiver, hold):
    service = make_service("--dev", "--grace", "1").start()
    webhook, _ = service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    first = receiver.next()
    signalled(service)
    assert ended(service) == 0
    assert receiver.got.empty()
    service.start()
    again = receiver.next()
    assert (again.headers["webhook-id"], again.body) == (first.headers["webhook-id"], first.body)
    # What was cut short by us is no try of theirs.
    assert service.wait_delivery(call["id"], "DELIVERED")["tries"] == 1
    assert service.request("GET", f"/v1/webhooks/{webhook}").json()["state"] == "READY"


def test_a_second_signal_ends_it_at_once(make_service, receiver, hold):
    service = make_service("--dev", "--grace", "3600").start()
    service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    signalled(service)
    wait_logged(service, "stopping")
    signalled(service)
    assert ended(service) == 0
    assert "stopping_now" in service.logged()
    service.start()
    receiver.next()
    service.wait_delivery(call["id"], "DELIVERED")


@pytest.mark.threads
def test_what_comes_during_a_stop_is_refused_and_not_half_accepted(make_service, receiver, hold):
    service = make_service("--dev", "--grace", "60").start()
    service.webhook(receiver.url())
    service.put(some_call())
    receiver.next()
    idle = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    # One whose request is half there goes on: it was accepted before the stop.
    body = json.dumps(early := some_call()).encode()
    half = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)
    half.sendall(b"PUT /v1/calls/%s HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\n"
                 b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (early["id"].encode(), API_KEY.encode(), len(body)))
    assert half.recv(12) == b"HTTP/1.1 100"
    signalled(service)
    wait_logged(service, "stopping")
    assert idle.sock.recv(1) == b""
    late = some_call()
    with pytest.raises(OSError):
        service.put(late)
    half.sendall(body)
    got = b""
    while more := half.recv(65536):
        got += more
    half.close()
    assert b"HTTP/1.1 201" in got
    hold.set()
    assert ended(service) == 0
    assert receiver.got.empty()
    service.start()
    service.wait_delivery(early["id"], "DELIVERED")
    assert service.request("GET", f"/v1/calls/{late['id']}").status == 404
    assert service.request("GET", f"/v1/deliveries?callId={late['id']}").json()["content"] == []


@pytest.mark.threads
def test_results_that_the_disk_does_not_take_do_not_use_up_the_grace(make_service, receiver, hold):
    service = make_service("--dev", "--grace", "3600").start()
    service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    pid = service.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    assert service.put(some_call()).status == 503
    hold.set()
    until = time.monotonic() + PATIENCE
    while b"callhook_results_refused 1" not in service.request("GET", "/metrics").body:
        assert time.monotonic() < until
    signalled(service)
    assert ended(service) == 0
    service.start()
    receiver.next()
    service.wait_delivery(call["id"], "DELIVERED")


def test_a_disk_that_takes_writes_again_is_used_again(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    pid = service.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    call = some_call()
    answer = service.put(call)
    assert answer.status == 503 and "retry-after" in answer.headers
    assert service.request("GET", "/readyz").status == 503
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert service.put(call).status == 201
    assert service.request("GET", "/readyz").json() == {"status": "ok", "sending": "ok"}
    service.wait_delivery(call["id"], "DELIVERED")


def test_a_hangup_is_no_end(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    signalled(service, signal.SIGHUP)
    wait_logged(service, "hangup_ignored")
    call = some_call()
    assert service.put(call).status == 201
    receiver.next()
    service.stop()


def test_a_key_file_that_a_crash_cut_short_is_nobodys_key(make_service, tmp_path):
    service = make_service("--dev")
    key = tmp_path / "callhook.db.key"
    cut = tmp_path / "callhook.db.key.new"
    cut.write_text("00ff")
    cut.chmod(0o644)
    service.start()
    service.stop()
    assert not cut.exists()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    text = key.read_text()
    assert len(text) == 65 and int(text, 16) > 0
    service.start()
    service.stop()
    assert key.read_text() == text


def test_a_key_that_can_not_be_kept_is_not_used(make_service, tmp_path):
    key = tmp_path / "nowhere" / "callhook.key"
    service = make_service("--dev", "--secret-key-file", str(key))
    failed = subprocess.run(service.command(), capture_output=True, text=True, env=service.environment(),
                            timeout=PATIENCE)
    assert failed.returncode == 1 and str(key) in failed.stderr and "No such file" in failed.stderr
    assert not os.path.exists(key)
