"""callhook bench, against a server."""
import json

import pytest

from test_cli_import import run


@pytest.mark.parametrize("options,count", [(["--connections", "4"], 200), (["--import", "--bytes", "300"], 2500)])
def test_what_it_says_adds_up(service, options, count):
    shown = run("bench", service, "--calls", str(count), "--json", *options)
    assert shown.returncode == 0, shown.stderr
    said = json.loads(shown.stdout)
    assert (said["accepted"], said["refused"], said["delivered"]) == (count, 0, count)
    assert said["acceptedPerSecond"] > 0 and said["deliveredPerSecond"] > 0
    for of in ("requestMs", "receiptMs"):
        assert 0 <= said[of]["p50"] <= said[of]["p90"] <= said[of]["p99"] <= said[of]["max"]
    assert service.request("GET", "/v1/webhooks").json()["content"] == []
    assert b"bench: 100 %" in shown.stderr


def test_as_text(service):
    shown = run("bench", service, "--calls", "20", "--quiet")
    assert shown.returncode == 0 and shown.stderr == b""
    assert [line.split()[0] for line in shown.stdout.decode().splitlines()] == ["accepted", "delivered", "request",
                                                                              "receipt"]


def test_what_is_refused_is_said(make_service):
    service = make_service("--dev", "--rate-limit", "5/15").start()
    shown = run("bench", service, "--calls", "50", "--quiet", "--json")
    assert shown.returncode == 1 and b"429" in shown.stderr
    said = json.loads(shown.stdout)
    assert said["refused"] > 0 and said["accepted"] + said["refused"] == 50
    assert said["delivered"] == said["accepted"]


@pytest.mark.parametrize("args,code", [(["--calls", "0"], 2), (["--connections", "257"], 2), (["--listen", "x"], 2),
                                       (["x"], 2), (["--url", "ftp://x/"], 1)])
def test_wrong_usage(service, args, code):
    shown = run("bench", service, *args)
    assert (shown.returncode, shown.stdout) == (code, b""), shown.stderr
