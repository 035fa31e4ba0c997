"""callhook listen --server: calls of a server on a laptop, none missed while it is closed."""
import json
import os
import signal
import stat
import subprocess

import pytest

from conftest import API_KEY, BINARY, PATIENCE, some_call
from test_cli_import import feed


class Follower:
    def __init__(self, service, receiver, folder, *options, begin="oldest"):
        env = {k: v for k, v in os.environ.items() if not k.startswith("CALLHOOK_")}
        env["CALLHOOK_API_KEY"] = API_KEY
        self.place = os.path.join(folder, "place.json")
        settings = {"--forward": receiver.url(path="/local"), "--place": self.place, "--begin": begin}
        settings.update(zip(options[::2], options[1::2]))
        self.process = subprocess.Popen(
            [BINARY, "listen", "--server", f"http://127.0.0.1:{service.port}", "--json",
             *(part for setting in settings.items() for part in setting)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def line(self):
        return json.loads(self.process.stdout.readline())

    def started(self):
        line = self.process.stderr.readline()
        assert line.startswith("following "), line + self.process.stderr.read()
        return self

    def wait(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], err

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        code, _, err = self.wait()
        assert code == 0, err

    def kept(self):
        with open(self.place, encoding="utf-8") as file:
            return json.load(file)


def put_all(service, count, **changes):
    calls = [some_call(**changes) for _ in range(count)]
    for call in calls:
        assert service.put(call).status == 201
    return calls


def check(got, secret, folder):
    """callhook verify, with what came."""
    heads, body = os.path.join(folder, "headers"), os.path.join(folder, "body")
    with open(heads, "w", encoding="utf-8") as file:
        file.write("".join(f"{name}: {value}\n" for name, value in got.header_lines))
    with open(body, "wb") as file:
        file.write(got.body)
    shown = subprocess.run([BINARY, "verify", "--secret", secret, "--headers", heads, body], capture_output=True,
                           text=True, timeout=PATIENCE)
    assert shown.returncode == 0, shown.stdout


def test_calls_come_signed_with_the_bytes_of_the_service(service, receiver, tmp_path):
    odd = {"n": 0.1, "big": 1e300, "small": 5e-324, "deep": {"9": 1, "1": [-0.0, 1e21]}, "text": "é\u2028\\/\"\u0001"}
    call = put_all(service, 1, context=odd, summary="ü")[0]
    follower = Follower(service, receiver, tmp_path, "--count", "1")
    got = receiver.next()
    code, lines, err = follower.wait()
    assert code == 0, err
    assert got.path == "/local" and got.body == service.request("GET", f"/v1/calls/{call['id']}").body
    assert got.headers["webhook-id"] == f"{call['id']}-1"
    check(got, follower.kept()["secret"], tmp_path)
    assert lines == [{"callId": call["id"], "version": 1, "erased": False, "webhookId": f"{call['id']}-1",
                      "delivered": True, "outcome": "answered", "status": 200}]
    assert stat.S_IMODE(os.stat(follower.place).st_mode) == 0o600


def test_nothing_is_missed_while_it_is_closed(service, receiver, tmp_path):
    calls = put_all(service, 3)
    first = Follower(service, receiver, tmp_path, "--count", "3")
    assert first.wait()[0] == 0
    secret = first.kept()["secret"]
    calls += put_all(service, 45)
    second = Follower(service, receiver, tmp_path, "--count", "30")
    assert second.wait()[0] == 0
    third = Follower(service, receiver, tmp_path)
    got = [json.loads(receiver.next().body)["id"] for _ in calls]
    calls += put_all(service, 1)
    got.append(json.loads(receiver.next().body)["id"])
    third.stop()
    assert got == [call["id"] for call in calls]
    assert receiver.got.empty() and third.kept()["secret"] == secret
    assert third.kept()["last"] == ""


def test_it_goes_on_only_behind_what_was_taken(service, receiver, tmp_path):
    first, second = put_all(service, 2)
    for _ in range(2):
        receiver.answers.put((500, {}, b"not now"))
    follower = Follower(service, receiver, tmp_path)
    got = [receiver.next() for _ in range(2)]
    assert {json.loads(one.body)["id"] for one in got} == {first["id"]}
    assert len({one.headers["webhook-id"] for one in got}) == 1
    assert [follower.line()["delivered"] for _ in range(2)] == [False, False]
    follower.process.send_signal(signal.SIGKILL)
    follower.process.communicate(timeout=PATIENCE)
    again = Follower(service, receiver, tmp_path)
    seen = [json.loads(receiver.next().body)["id"]]
    while seen[-1] != second["id"]:
        seen.append(json.loads(receiver.next().body)["id"])
    again.stop()
    assert seen[-2:] == [first["id"], second["id"]]


def test_it_begins_now_unless_told_otherwise(service, receiver, tmp_path):
    put_all(service, 30)
    follower = Follower(service, receiver, tmp_path, begin="now").started()
    while not follower.kept()["cursor"]:
        assert follower.process.poll() is None
    call = put_all(service, 1)[0]
    assert json.loads(receiver.next().body)["id"] == call["id"]
    follower.stop()
    assert receiver.got.empty()


def test_which_calls_are_forwarded(service, receiver, tmp_path):
    put_all(service, 1, status="NO_ANSWER")
    gone, = put_all(service, 1)
    service.request("DELETE", f"/v1/calls/{gone['id']}")
    rejected, = put_all(service, 1, status="REJECTED")
    follower = Follower(service, receiver, tmp_path, "--statuses", "REJECTED", "--count", "1")
    code, lines, _ = follower.wait()
    assert code == 0 and json.loads(receiver.next().body)["id"] == rejected["id"]
    assert [(line["callId"], line["erased"]) for line in lines] == [(gone["id"], True), (rejected["id"], False)]
    assert receiver.got.empty()


def test_a_server_that_restarts_is_waited_for(make_service, receiver, tmp_path):
    service = make_service("--dev").start()
    follower = Follower(service, receiver, tmp_path).started()
    service.stop()
    same = [BINARY, "serve", "--dev", "--store", service.store, "--listen", f"127.0.0.1:{service.port}"]
    service.command = lambda: same
    service.start()
    call, = put_all(service, 1)
    assert json.loads(receiver.next().body)["id"] == call["id"]
    follower.stop()
    assert len(feed(service)) == 1


@pytest.mark.parametrize("options,code,words", [
    (["--forward", "ftp://x/"], 2, "http"),
    (["--begin", "then"], 2, "neither now nor oldest"),
    (["--statuses", "IN_PROGRESS"], 2, "IN_PROGRESS"),
    (["--save", "/tmp"], 2, "--save"),
    (["--secret", "short"], 2, "secret"),
    (["--place", "/does/not/exist/place"], 1, "/does/not/exist/place"),
    (["--account", "x"], 2, "operator token"),
])
def test_wrong_usage(service, receiver, tmp_path, options, code, words):
    follower = Follower(service, receiver, tmp_path, *options)
    got, _, err = follower.wait()
    assert got == code and words in err, err


def test_a_place_that_can_not_be_used_is_named(service, receiver, tmp_path):
    place = tmp_path / "place.json"
    for text in ("", "[]", "{}", '{"cursor":1,"secret":"whsec_x"}'):
        place.write_text(text)
        code, _, err = Follower(service, receiver, tmp_path).wait()
        assert code == 2 and str(place) in err, err
    place.write_text(json.dumps({"cursor": "A" * 22, "last": "", "secret": "0123456789abcdef"}))
    code, _, err = Follower(service, receiver, tmp_path).wait()
    assert code == 1 and "400" in err, err
