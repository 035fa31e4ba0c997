"""Behind a proxy the audit log names the client, as far as it can be believed."""
import subprocess

import pytest

from conftest import BINARY, PATIENCE

TRUSTED = ["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "2001:db8::/32"]


def logged_address(service, forwarded):
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    answer = service.request("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/"}, headers=headers)
    assert answer.status == 201, answer.body
    acts = service.request("GET", "/v1/audit").json()["content"]
    return next(a["address"] for a in acts if a["action"] == "webhook.create")


@pytest.mark.parametrize("forwarded, address", [
    (None, "127.0.0.1"),
    ("203.0.113.9", "203.0.113.9"),
    ("198.51.100.1, 203.0.113.9 ,10.1.2.3", "203.0.113.9"),
    ("10.9.9.9,10.1.2.3", "10.9.9.9"),
    ("203.0.113.9:4711, [2001:db8::5]:80", "203.0.113.9"),
    ("203.0.113.9, nonsense, 10.1.2.3", "10.1.2.3"),
    ("2a00::1", "2a00::1"),
    ("", "127.0.0.1"),
])
def test_the_nearest_address_that_is_no_proxy_counts(make_service, forwarded, address):
    service = make_service("--dev", *TRUSTED).start()
    assert logged_address(service, forwarded) == address


@pytest.mark.parametrize("options", [[], ["--trusted-proxy", "10.0.0.0/8"]])
def test_a_stranger_is_not_believed(make_service, options):
    service = make_service("--dev", *options).start()
    assert logged_address(service, "203.0.113.9") == "127.0.0.1"


def test_what_is_no_network_is_named():
    done = subprocess.run([BINARY, "serve", "--store", "memory:", "--trusted-proxy", "10.0.0.1/8"],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2 and "--trusted-proxy" in done.stderr
