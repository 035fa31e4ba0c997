"""callhook import, against a server."""
import http.server
import json
import os
import pty
import subprocess
import threading

import pytest

from conftest import API_KEY, BINARY, OPERATOR, PATIENCE, some_call


def run(command, service, *args, stdin=None, env=None, port=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CALLHOOK_")}
    clean.update({"CALLHOOK_API_KEY": API_KEY} if env is None else env)
    return subprocess.run([BINARY, command, *args, "--server", f"http://127.0.0.1:{port or service.port}"],
                          capture_output=True, input=stdin, timeout=PATIENCE, env=clean)


def lines_of(calls):
    return "".join(json.dumps(call) + "\n" for call in calls).encode()


def feed(service):
    items, after = [], ""
    while True:
        page = service.request("GET", f"/v1/calls/feed?size=100{after}").json()
        if not page["content"]:
            return items
        items += page["content"]
        after = f"&after={page['next']}"


def test_a_file_is_imported_and_again_changes_nothing(service, tmp_path):
    calls = [some_call(summary="x" * 700) for _ in range(1000)]
    path = tmp_path / "calls.ndjson"
    path.write_bytes(lines_of(calls))
    first = run("import", service, str(path), "--slice", "100000")
    assert first.returncode == 0, first.stderr
    assert first.stdout == b"1000 lines: 1000 created, 0 known before, 0 refused\n"
    assert b"import: 100 %, 1000 lines" in first.stderr
    again = run("import", service, str(path), "--json", "--quiet")
    assert json.loads(again.stdout) == {"lines": 1000, "created": 0, "known": 1000, "refused": 0}
    assert again.stderr == b""
    assert [item["callId"] for item in feed(service)] == [call["id"] for call in calls]


def test_refused_lines_are_named(service):
    good = [some_call() for _ in range(3)]
    bad = {**some_call(), "status": "MAYBE"}
    text = lines_of(good[:1]) + b"\n  \n" + lines_of([bad]) + b"{not json}\n" + lines_of(good[1:])[:-1]
    shown = run("import", service, "-", stdin=text)
    assert shown.returncode == 1
    assert b"standard input:4: 400, /status: " in shown.stderr
    assert b"standard input:5: 400" in shown.stderr
    assert shown.stdout == b"5 lines: 3 created, 0 known before, 2 refused\n"
    as_json = run("import", service, "--json", "--quiet", "--slice", "1024", stdin=text)
    rows = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [row["line"] for row in rows[:-1]] == [4, 5]
    assert rows[0]["errors"][0]["pointer"] == "/status"
    assert rows[-1] == {"lines": 5, "created": 0, "known": 3, "refused": 2}


class Moody(threading.Thread):
    """A server that takes a while to make up its mind: answers are what `answers` says, for each request."""

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.bodies = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.bodies.append(body.decode().splitlines())
                status, headers, text = answers.pop(0)
                if callable(text):
                    text = text(outer.bodies[-1])
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.start()

    def run(self):
        self.server.serve_forever()


def answer(*statuses):
    def make(lines):
        assert len(lines) >= len(statuses)
        rows = [{"line": i + 1, "id": json.loads(lines[i])["id"], "status": status, "title": "x", "detail": "words"}
                for i, status in enumerate(statuses)]
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    return 200, {}, make


def test_what_the_server_can_not_take_now_is_sent_again():
    calls = [some_call() for _ in range(4)]
    later = b'{"status": 429, "detail": "later"}'
    moody = Moody([(429, {"Retry-After": "1"}, later), (503, {}, later), answer(201, 503, 409, 503), answer(503, 201),
                   answer(200)])
    shown = run("import", None, "--json", stdin=lines_of(calls), port=moody.port)
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert shown.returncode == 1, shown.stderr
    assert rows == [{"line": 3, "id": calls[2]["id"], "status": 409, "title": "x", "detail": "words"},
                    {"lines": 4, "created": 2, "known": 1, "refused": 1}]
    sent = [[json.loads(line)["id"] for line in body] for body in moody.bodies]
    ids = [call["id"] for call in calls]
    assert sent == [ids, ids, ids, [ids[1], ids[3]], [ids[1]]]


def test_an_answer_that_was_cut_off_is_asked_for_again():
    calls = [some_call() for _ in range(3)]
    moody = Moody([answer(201), answer(201, 201)])
    shown = run("import", None, "--quiet", stdin=lines_of(calls), port=moody.port)
    assert (shown.returncode, shown.stdout) == (0, b"3 lines: 3 created, 0 known before, 0 refused\n")
    assert [len(body) for body in moody.bodies] == [3, 2]


def test_for_an_account_by_the_operator(service, tmp_path):
    operator = {"Authorization": f"Bearer {OPERATOR}"}
    assert service.request("POST", "/v1/accounts", {"id": "other"}, headers=operator, key=None).status == 201
    call = some_call()
    env = {"CALLHOOK_OPERATOR_TOKEN": OPERATOR, "CALLHOOK_API_KEY": API_KEY}
    shown = run("import", service, "--account", "other", stdin=lines_of([call]), env=env)
    assert shown.returncode == 0, shown.stderr
    other = {**operator, "X-Account-Id": "other"}
    assert service.request("GET", f"/v1/calls/{call['id']}", headers=other, key=None).status == 200
    assert service.request("GET", f"/v1/calls/{call['id']}").status == 404
    key = tmp_path / "key"
    key.write_text(API_KEY + "\n")
    assert run("import", service, "--api-key-file", str(key), stdin=lines_of([call]), env={}).returncode == 0
    assert service.request("GET", f"/v1/calls/{call['id']}").status == 200


@pytest.mark.parametrize("args,env,code,words", [
    (["/does/not/exist"], None, 1, b"/does/not/exist"),
    (["--slice", "5"], None, 2, b"--slice"),
    (["--slice", "99999999"], None, 2, b"--slice"),
    (["a", "b"], None, 2, b"unexpected argument"),
    ([], {}, 2, b"no API key"),
    (["--account", "x"], None, 2, b"operator token"),
    ([], {"CALLHOOK_API_KEY": "wrong"}, 1, b"401"),
])
def test_what_goes_wrong_is_named(service, args, env, code, words):
    shown = run("import", service, *args, stdin=lines_of([some_call()]), env=env)
    assert shown.returncode == code and words in shown.stderr, shown.stderr


def test_on_a_terminal_there_is_a_bar(service, tmp_path):
    path = tmp_path / "calls.ndjson"
    path.write_bytes(lines_of([some_call() for _ in range(20)]))
    master, slave = pty.openpty()
    shown = subprocess.run([BINARY, "import", str(path), "--server", f"http://127.0.0.1:{service.port}"], stderr=slave,
                           stdout=subprocess.PIPE, env={**os.environ, "CALLHOOK_API_KEY": API_KEY}, timeout=PATIENCE)
    os.close(slave)
    bar = os.read(master, 65536).decode()
    os.close(master)
    assert shown.returncode == 0
    assert "import [" + "#" * 30 + "] 100 %" in bar and bar.endswith("\r\n")
