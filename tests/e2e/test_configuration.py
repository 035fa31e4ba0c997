"""Where a setting comes from, what wins, and that docs/configuration.md has what the program has."""
import os
import re
import subprocess

import pytest

from conftest import BINARY, OPERATOR, ROOT, Service


def served_limit(tmp_path, options, env):
    """The rate limit that a service with these settings tells its clients."""
    service = Service(tmp_path, *options, env={"CALLHOOK_RATE_LIMIT": "", **env}).start()
    try:
        return int(service.request("GET", "/v1/webhooks").headers["x-ratelimit-limit"])
    finally:
        service.stop()


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "callhook.conf"
        path.write_text(text, encoding="utf-8")
        return str(path)
    return write


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path, file):
    path = file("# a comment\n\n  rate-limit = \"5/15\"  \n")
    assert served_limit(tmp_path, ["--config", path], {}) == 5
    assert served_limit(tmp_path, [], {"CALLHOOK_CONFIG": path}) == 5
    assert served_limit(tmp_path, ["--config", path], {"CALLHOOK_RATE_LIMIT": "6/15"}) == 6
    assert served_limit(tmp_path, ["--config", path, "--rate-limit", "7/15"], {"CALLHOOK_RATE_LIMIT": "6/15"}) == 7


@pytest.mark.parametrize("env, status", [({}, 201), ({"CALLHOOK_DEV": "false"}, 400), ({"CALLHOOK_DEV": "yes"}, 201)])
def test_a_switch_can_be_set_off_over_the_file(tmp_path, file, env, status):
    service = Service(tmp_path, "--config", file("dev = true\n"), env=env).start()
    assert service.request("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/hook"}).status == status
    service.stop()


@pytest.mark.parametrize("text, place, words", [
    ("\nworkers = many\n", ":2", "many"),
    ("dev = perhaps\n", ":1", "neither true nor false"),
    ("wokers = 2\n", ":1", "wokers"),
    ("workers\n", ":1", "name = value"),
    ("allow-network = 10.0.0.0/8, nonsense\n", ":1", "nonsense"),
])
def test_what_is_wrong_in_a_file_is_said_with_its_place(file, text, place, words):
    path = file(text)
    ended = subprocess.run([BINARY, "serve", "--store", "memory:", "--config", path], stderr=subprocess.PIPE, text=True,
                           check=False)
    assert ended.returncode == 2
    assert path + place in ended.stderr and words in ended.stderr


@pytest.mark.parametrize("given, begins", [
    ("https://hooks.example.com", "https://hooks.example.com/#link="),
    ("https://Hooks.example.com:8443/calls/", "https://hooks.example.com:8443/calls/#link="),
    ("http://hooks.example.com/calls", "http://hooks.example.com/calls/#link="),
])
def test_portal_links_begin_with_the_public_url(tmp_path, given, begins):
    service = Service(tmp_path, "--public-url", given).start()
    answer = service.request("POST", "/v1/accounts/default/portal-link", {}, {"Authorization": f"Bearer {OPERATOR}"},
                             key=None)
    assert answer.json()["url"].startswith(begins)
    service.stop()


@pytest.mark.parametrize("given", ["hooks.example.com", "https://a.example/?x=1", "https://a.example/#x", "ftp://a.example/",
                                   "https://user@a.example/"])
def test_a_public_url_that_can_be_none_is_refused(given):
    ended = subprocess.run([BINARY, "serve", "--store", "memory:", "--public-url", given], stderr=subprocess.PIPE, text=True,
                           check=False)
    assert ended.returncode == 2
    assert "--public-url: " in ended.stderr


def test_the_table_of_options_is_made_from_the_program():
    check = subprocess.run([os.path.join(ROOT, "tools", "options.py"), "--check"], stdout=subprocess.PIPE, text=True,
                           check=False, env={**os.environ, "CALLHOOK": BINARY})
    assert check.returncode == 0, check.stdout


def test_the_packaged_unit_and_settings_fit_the_program(tmp_path):
    folder = os.path.join(ROOT, "packaging", "systemd")
    with open(os.path.join(folder, "callhook.service"), encoding="utf-8") as f:
        command = re.search(r"^ExecStart=(.*)$", f.read(), re.M).group(1).split()
    assert command == ["/usr/bin/callhook", "serve", "--config", "${CREDENTIALS_DIRECTORY}/callhook.conf"]
    with open(os.path.join(folder, "callhook.conf"), encoding="utf-8") as f:
        text = f.read().replace("/var/lib/callhook", str(tmp_path)).replace("127.0.0.1:8080", "127.0.0.1:0")
    text = text.replace("# api-key =", "api-key = " + "k" * 32).replace("# operator-token =", "operator-token = " + "t" * 32)
    (tmp_path / "callhook.conf").write_text(text, encoding="utf-8")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("CALLHOOK_")}
    with subprocess.Popen([BINARY, "serve", "--config", str(tmp_path / "callhook.conf")], env=bare,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        said = [process.stdout.readline()]
        while "is ready on" not in said[-1]:
            said.append(process.stdout.readline())
            assert said[-1], said
        process.terminate()
        assert process.wait(timeout=60) == 0
    assert any("(as given)" in line for line in said)
    assert (tmp_path / "callhook.db").exists()
