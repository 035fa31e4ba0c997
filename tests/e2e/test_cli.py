"""The commands, as a person types them."""
import json
import os
import re
import subprocess

import pytest

from conftest import BINARY, PATIENCE, ROOT

SEED = os.path.join(ROOT, "tests", "data", "seed-call.json")
SECRET = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
COMMANDS = ["account", "bench", "deliveries", "import", "qshape", "replay", "serve", "listen", "send", "sign", "verify", "version"]


def callhook(*args, stdin=None, env=None):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, input=stdin, timeout=PATIENCE,
                          env={**os.environ, **(env or {})})


def canonical_seed():
    with open(SEED, encoding="utf-8") as f:
        return json.dumps(json.load(f), separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_options_and_an_example(command):
    shown = callhook(command, "--help")
    assert shown.returncode == 0
    assert "Options:" in shown.stdout and "Example:" in shown.stdout
    assert f"callhook {command}" in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_a_usage_error(command):
    shown = callhook(command, "--no-such")
    assert shown.returncode == 2 and "--no-such" in shown.stderr and shown.stdout == ""


def test_no_command_and_an_unknown_one():
    assert callhook().returncode == 2
    assert callhook("fly").returncode == 2 and "fly" in callhook("fly").stderr
    assert all(c in callhook("--help").stdout for c in COMMANDS)


def test_version():
    assert callhook("version").stdout.startswith("callhook ")
    assert set(json.loads(callhook("version", "--json").stdout)) >= {"callhook", "sqlite", "libcurl"}


def test_sign_and_verify_agree(tmp_path):
    body = tmp_path / "body.json"
    body.write_text(canonical_seed())
    signed = callhook("sign", "--secret", SECRET, "--id", "msg_1", "--timestamp", "1722350700", str(body))
    assert signed.returncode == 0
    heads = tmp_path / "headers.txt"
    heads.write_text(signed.stdout)
    check = ["verify", "--secret", SECRET, "--headers", str(heads)]
    good = callhook(*check, "--now", "1722350710", str(body))
    assert good.returncode == 0 and good.stdout.startswith("valid")
    as_json = callhook(*check, "--now", "1722350710", "--json", stdin=canonical_seed())
    assert json.loads(as_json.stdout)["valid"] is True


@pytest.mark.parametrize("name,change,words", [
    ("stale", {"now": "1722360710"}, "timestamp"),
    ("indented", {"body": json.dumps(json.loads(canonical_seed()), indent=2)}, "white space"),
    ("reordered", {"body": json.dumps(dict(reversed(json.loads(canonical_seed()).items())), separators=(",", ":"))},
     "order"),
    ("changed", {"body": canonical_seed().replace("John", "Jane")}, "match"),
    ("other secret", {"secret": "whsec_" + "A" * 43 + "=", "more": ["--other-secret", SECRET]}, "secret"),
    ("without prefix", {"secret": SECRET[6:]}, ""),
])
def test_verify_says_why_not(tmp_path, name, change, words):
    signed = callhook("sign", "--secret", SECRET, "--id", "msg_1", "--timestamp", "1722350700", stdin=canonical_seed())
    heads = tmp_path / "headers.txt"
    heads.write_text(signed.stdout)
    shown = callhook("verify", "--secret", change.get("secret", SECRET), "--headers", str(heads),
                     "--now", change.get("now", "1722350710"), *change.get("more", []),
                     stdin=change.get("body", canonical_seed()))
    assert shown.returncode == 1
    assert shown.stdout.startswith("NOT valid") and words in shown.stdout


def test_sign_canonical_signs_what_would_be_sent():
    with open(SEED, encoding="utf-8") as f:
        pretty = f.read()
    options = ["--secret", SECRET, "--id", "x", "--timestamp", "1", "--json"]
    assert json.loads(callhook("sign", *options, "--canonical", stdin=pretty).stdout) == \
        json.loads(callhook("sign", *options, stdin=canonical_seed()).stdout)


def test_secrets_come_from_file_and_environment(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET + "\n")
    options = ["sign", "--id", "x", "--timestamp", "1"]
    by_flag = callhook(*options, "--secret", SECRET, stdin="{}").stdout
    assert by_flag == callhook(*options, "--secret-file", str(secret), stdin="{}").stdout
    assert by_flag == callhook(*options, stdin="{}", env={"CALLHOOK_SECRET": SECRET}).stdout
    assert "both" in callhook(*options, "--secret", SECRET, "--secret-file", str(secret), stdin="{}").stderr
    assert callhook(*options, stdin="{}").returncode == 2
    assert "no secret" in callhook(*options, stdin="{}").stderr
    assert callhook(*options, "--secret", "short", stdin="{}").returncode == 2


def test_send_to_listen(tmp_path):
    listener = subprocess.Popen([BINARY, "listen", "--listen", "127.0.0.1:0", "--secret", SECRET, "--count", "1",
                                 "--save", str(tmp_path), "--json"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = re.search(r":(\d+)/", listener.stderr.readline()).group(1)
    sent = callhook("send", "--url", f"http://127.0.0.1:{port}/in", "--secret", SECRET, "--header", "X-Mine: 1",
                    "--json", SEED)
    out, err = listener.communicate(timeout=PATIENCE)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert listener.returncode == 0, err
    shown = json.loads(out)
    assert shown["valid"] is True and shown["path"] == "/in" and shown["body"] == canonical_seed()
    assert shown["headers"]["X-Mine"] == "1"
    assert json.loads(sent.stdout)["status"] == 200
    assert (tmp_path / "0001.body").read_text() == canonical_seed()
    assert "webhook-id: " + json.loads(sent.stdout)["id"] in (tmp_path / "0001.headers").read_text()


def test_listen_says_what_is_wrong():
    listener = subprocess.Popen([BINARY, "listen", "--listen", "127.0.0.1:0", "--secret", SECRET, "--count", "1",
                                 "--status", "503"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = re.search(r":(\d+)/", listener.stderr.readline()).group(1)
    sent = callhook("send", "--url", f"http://127.0.0.1:{port}/", "--secret", "whsec_" + "A" * 43 + "=", SEED)
    out, _ = listener.communicate(timeout=PATIENCE)
    assert sent.returncode == 1 and "503" in sent.stdout
    assert listener.returncode == 1 and "signature NOT valid" in out


@pytest.mark.parametrize("args,code,words", [
    (["send", SEED], 2, "--url"),
    (["send", "--url", "ftp://x/", SEED], 2, "http"),
    (["send", "--url", "http://127.0.0.1:1/", SEED], 1, "refused"),
    (["send", "--url", "http://127.0.0.1:1/", "--header", "nonsense", SEED], 2, "Name: value"),
    (["send", "--url", "http://127.0.0.1:1/", "--header", "Host: evil", SEED], 2, "Host: evil"),
    (["send", "--url", "http://127.0.0.1:1/", "--header", "webhook-id: x", SEED], 2, "webhook-id: x"),
    (["send", "--url", "http://127.0.0.1:1/", "--id", "a\nb", SEED], 2, "--id"),
    (["sign", "--secret", SECRET, "--id", "", SEED], 2, "--id"),
    (["sign", "--secret", SECRET, "--timestamp", "-1", SEED], 2, "--timestamp"),
    (["sign", "--secret", SECRET, SEED, SEED], 2, "unexpected argument"),
    (["verify", "--secret", SECRET, "--now", "-5", SEED], 2, "--now"),
    (["verify", SEED], 2, "no secret"),
    (["verify", "--secret", SECRET, "/does/not/exist"], 2, "/does/not/exist"),
    (["send", "--url", "http://127.0.0.1:1/", "/does/not/exist"], 1, "/does/not/exist"),
    (["send", "--url", "http://127.0.0.1:1/", "--timeout", "99", SEED], 2, "--timeout"),
    (["listen", "--listen", "1.2.3.4.5:80"], 1, "1.2.3.4.5"),
    (["listen", "--listen", "127.0.0.1:99999"], 2, "65535"),
])
def test_what_goes_wrong_is_named(args, code, words):
    shown = callhook(*args)
    assert shown.returncode == code
    assert words in shown.stdout + shown.stderr


def test_send_names_the_place_in_a_bad_record():
    shown = callhook("send", "--url", "http://127.0.0.1:1/", stdin='{"id": "nope", "status": "COMPLETED"}')
    assert shown.returncode == 1 and "/id" in shown.stderr
