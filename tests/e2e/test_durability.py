"""What a crash, a stop and a wrong key leave."""
import glob
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from conftest import API_KEY, OPERATOR, PATIENCE, some_call


def test_kill_right_after_the_201_and_a_restart_deliver(make_service, make_receiver):
    closed = make_receiver()
    closed.close()
    service = make_service("--dev", "--retry-schedule", "1s,1s,1s,1s,1s,1s,1s,1s").start()
    service.webhook(closed.url())
    webhook = service.request("GET", "/v1/webhooks").json()["content"][0]["id"]
    call = some_call(summary="é " * 100)
    answer = service.put(call)
    service.kill()
    assert answer.status == 201

    alive = make_receiver()
    service.start()
    assert service.request("PATCH", f"/v1/webhooks/{webhook}", {"url": alive.url()},
                           {"Content-Type": "application/merge-patch+json"}).status == 200
    assert alive.next().body == answer.body
    service.wait_delivery(call["id"], "DELIVERED")


def test_many_kills_under_load_lose_nothing(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1s,1s,1s,1s,1s").start()
    service.webhook(receiver.url())
    accepted = []
    for _ in range(5):
        def feed(out):
            try:
                while True:
                    call = some_call()
                    if service.put(call).status == 201:
                        out.append(call["id"])
            except OSError:
                return
            except Exception as e:  # the connection breaks in many ways when the server is killed
                if "http.client" not in type(e).__module__:
                    raise
        feeders = [threading.Thread(target=feed, args=(accepted,)) for _ in range(3)]
        goal = len(accepted) + 30
        for f in feeders:
            f.start()
        while len(accepted) < goal:
            receiver.next()
        service.kill()
        for f in feeders:
            f.join()
        service.start()
    for call in accepted:
        service.wait_delivery(call, "DELIVERED")
    bodies = {}
    while not receiver.got.empty():
        got = receiver.got.get()
        assert bodies.setdefault(got.headers["webhook-id"], got.body) == got.body


def test_an_attempt_in_flight_is_finished_at_a_stop(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    release = threading.Event()
    receiver.answers.put((200, {}, lambda: release.wait(PATIENCE) and b"late"))
    call = some_call()
    service.put(call)
    receiver.next()
    service.process.send_signal(signal.SIGTERM)
    release.set()
    assert service.process.wait(timeout=PATIENCE) == 0
    service.process.stdout.close()
    service.start()
    detail = service.wait_delivery(call["id"], "DELIVERED")
    assert detail["tries"] == 1 and receiver.got.empty()


def test_a_second_signal_stops_at_once_and_the_delivery_stays_pending(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    release = threading.Event()
    receiver.answers.put((200, {}, lambda: release.wait(PATIENCE) and b"late"))
    call = some_call()
    service.put(call)
    first = receiver.next()
    service.process.send_signal(signal.SIGTERM)
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(timeout=PATIENCE) == 0
    release.set()
    service.process.stdout.close()
    service.start()
    again = receiver.next()
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    assert service.wait_delivery(call["id"], "DELIVERED")["tries"] == 1


def serve_and_fail(service):
    ended = subprocess.run(service.command(), capture_output=True, text=True, env=service.environment(),
                           timeout=PATIENCE)
    assert ended.returncode == 1
    return ended.stderr


def test_a_second_serve_on_the_same_file_is_refused(service):
    words = serve_and_fail(service)
    assert "callhook.db" in words and "another" in words
    assert service.request("GET", "/healthz").status == 200


def test_the_key_file_must_be_the_right_one(make_service, receiver):
    service = make_service("--dev").start()
    service.webhook(receiver.url())
    service.stop()
    path, = glob.glob(f"{service.folder}/*.key")
    assert os.stat(path).st_mode & 0o777 == 0o600
    os.rename(path, path + ".away")
    assert "is not there" in serve_and_fail(service)
    assert not os.path.exists(path)
    with open(path, "w") as f:
        f.write("00" * 32 + "\n")
    os.chmod(path, 0o600)
    assert "does not open with this key" in serve_and_fail(service)
    os.chmod(path, 0o644)
    assert "can be read by others" in serve_and_fail(service)
    os.rename(path + ".away", path)
    service.start()
    service.put(some_call())
    assert "x-webhook-signature" in receiver.next().headers


def test_keys_are_seen_before_a_start_can_fail(make_service):
    service = make_service("--dev", env={"CALLHOOK_API_KEY": ""})
    taken = socket.create_server(("127.0.0.1", 0))
    command = service.command()
    command[command.index("127.0.0.1:0")] = "127.0.0.1:%d" % taken.getsockname()[1]
    ended = subprocess.run(command, capture_output=True, text=True, env=service.environment(), timeout=PATIENCE)
    taken.close()
    assert ended.returncode == 1 and "in use" in ended.stderr
    key = re.search(r"primary +(chk_\w+)", ended.stdout).group(1)
    service.start()
    assert service.request("GET", "/v1/webhooks", key=key).status == 200


def test_keys_that_nobody_can_see_make_no_account(make_service):
    service = make_service("--dev", env={"CALLHOOK_API_KEY": ""})
    with open("/dev/full", "w") as full:
        ended = subprocess.run(service.command(), stdout=full, stderr=subprocess.PIPE, text=True,
                               env=service.environment(), timeout=PATIENCE)
    assert ended.returncode == 1 and "can't be shown" in ended.stderr
    with subprocess.Popen(service.command(), stdout=subprocess.PIPE, text=True, env=service.environment()) as again:
        assert "Account" in again.stdout.readline()
        again.terminate()


def test_a_log_that_nobody_reads_stops_nothing(make_service, receiver):
    service = make_service("--dev", "--log-level", "debug")
    unread, log = os.pipe()
    service.process = subprocess.Popen(service.command(), stdout=subprocess.PIPE, stderr=log, text=True,
                                       env=service.environment())
    os.close(log)
    service.log = open(os.devnull)
    service.port = int(re.search(r":(\d+)$", service.process.stdout.readline() + next(
        line for line in service.process.stdout if "is ready on" in line)).group(1))
    service.webhook(receiver.url())
    calls = [some_call() for _ in range(800)]
    lines = "\n".join(json.dumps(c) for c in calls).encode()
    service.request("POST", "/v1/calls/import", lines, {"Content-Type": "application/x-ndjson"})
    assert {json.loads(receiver.next().body)["id"] for _ in calls} == {c["id"] for c in calls}
    lost = service.request("GET", "/metrics").body.decode()
    assert int(re.search(r"^callhook_log_lines_lost_total (\d+)", lost, re.M).group(1)) > 0
    service.process.terminate()
    assert service.process.wait(timeout=PATIENCE) == 0
    service.process.stdout.close()
    service.process = None
    os.close(unread)


def is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        pass
    return True


def test_no_attempt_starts_after_a_stop_was_asked_for(make_service, receiver):
    service = make_service("--dev", "--grace", "60").start()
    service.webhook(receiver.url(), concurrency=1)
    release = threading.Event()
    receiver.answers.put((200, {}, lambda: release.wait(PATIENCE) and b"late"))
    calls = [some_call() for _ in range(20)]
    for call in calls:
        service.put(call)
    receiver.next()
    slow = socket.create_connection(("127.0.0.1", service.port))
    body = json.dumps(some_call()).encode() + b"\n"
    slow.sendall(b"POST /v1/calls/import HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + API_KEY.encode() +
                 b"\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n" % len(body))
    slow.sendall(body)
    assert slow.recv(12) == b"HTTP/1.1 200"
    service.process.send_signal(signal.SIGTERM)
    while is_listening(service.port):
        pass
    release.set()
    assert service.process.wait(timeout=PATIENCE) == 0
    slow.close()
    service.process.stdout.close()
    service.process = None
    assert receiver.got.empty()


@pytest.mark.parametrize("words,options,env", [
    ("--listen", ["--listen", "nonsense"], {}),
    ("--allow-network", ["--allow-network", "10.0.0.1/8"], {}),
    ("CALLHOOK_LOG_LEVEL", [], {"CALLHOOK_LOG_LEVEL": "loud"}),
    ("unknown option", ["--no-such-thing"], {}),
    ("--grace", ["--grace", "-1"], {}),
    ("retry", ["--retry-schedule", "5 parsecs"], {}),
])
def test_bad_options_are_named(make_service, words, options, env):
    service = make_service(*options, env=env)
    command = service.command()
    if options[:1] == ["--listen"]:
        command = [command[0], "serve", *options]
    ended = subprocess.run(command, capture_output=True, text=True, env=service.environment(), timeout=PATIENCE)
    assert ended.returncode == 2
    assert words in ended.stderr


def test_options_come_from_flags_then_environment_then_file(make_service, tmp_path):
    config = tmp_path / "callhook.conf"
    config.write_text("# a comment\nlog-level = debug\ngrace = 3\nlog-format = json\n")
    service = make_service("--config", str(config), "--log-format", "text", env={"CALLHOOK_GRACE": "4"}).start()
    service.stop()
    assert "grace_s=4" in service.logged()
    config.write_text("grace = 3\nno-such = 1\n")
    ended = subprocess.run(service.command(), capture_output=True, text=True, env=service.environment())
    assert ended.returncode == 2 and "callhook.conf:2" in ended.stderr


def test_no_secret_key_or_phone_number_in_the_most_talkative_log(make_service, receiver):
    service = make_service("--dev", "--log-level", "debug").start()
    _, secret = service.webhook(receiver.url())
    service.put(some_call(phone="+33612345678", summary="call +33612345678 back"))
    receiver.next()
    service.request("GET", "/v1/calls/not-an-id?phone=%2B33612345678")
    service.stop()
    text = service.logged()
    assert text.count("\n") > 3
    for word in (secret, secret[6:], API_KEY, OPERATOR, "33612345678"):
        assert word not in text
