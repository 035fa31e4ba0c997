"""callhook account, against a server."""
import json
import os
import re
import socket
import subprocess

from conftest import BINARY, OPERATOR, PATIENCE

KEY = re.compile(r"chk_[0-9a-f]{64}")


def account(service, *args, token=OPERATOR, port=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("CALLHOOK_")}
    if token:
        env["CALLHOOK_OPERATOR_TOKEN"] = token
    return subprocess.run([BINARY, "account", *args, "--server", f"http://127.0.0.1:{port or service.port}"],
                          capture_output=True, text=True, timeout=PATIENCE, env=env)


def opens(service, key):
    return service.request("GET", "/v1/account", key=key).status == 200


def test_an_account_from_its_creation_to_its_end(service):
    made = account(service, "create", "blue", "--name", "Blüe \"Ltd\"")
    assert made.returncode == 0, made.stderr
    primary, secondary = KEY.findall(made.stdout)
    assert opens(service, primary) and opens(service, secondary)
    assert service.request("GET", "/v1/account", key=primary).json()["name"] == "Blüe \"Ltd\""
    rotated = account(service, "rotate", "blue", "primary")
    assert rotated.returncode == 0, rotated.stderr
    new, = KEY.findall(rotated.stdout)
    assert opens(service, new) and opens(service, secondary) and not opens(service, primary)
    gone = account(service, "delete", "blue")
    assert gone.returncode == 0 and "blue" in gone.stdout
    assert not opens(service, new) and not opens(service, secondary)
    assert account(service, "delete", "blue").returncode == 1


def test_as_json(service):
    made = json.loads(account(service, "create", "--json").stdout)
    assert opens(service, made["keys"]["primary"])
    rotated = json.loads(account(service, "rotate", made["id"], "secondary", "--json").stdout)
    assert opens(service, rotated["key"]) and not opens(service, made["keys"]["secondary"])
    rows = [json.loads(line) for line in account(service, "list", "--json").stdout.splitlines()]
    assert [row["id"] for row in rows] == ["default", made["id"]]
    assert json.loads(account(service, "delete", made["id"], "--json").stdout) == {"deleted": made["id"]}


def test_a_list_of_more_than_a_page(service):
    for i in range(101):
        made = service.request("POST", "/v1/accounts", {"id": f"a{i}"}, key=None,
                               headers={"Authorization": f"Bearer {OPERATOR}"})
        assert made.status == 201
    shown = account(service, "list").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["default"] + [f"a{i}" for i in range(101)]


def test_what_the_server_refuses_is_said(service):
    assert account(service, "create", "blue").returncode == 0
    for args, words in ((["create", "blue"], "409"), (["delete", "default"], "409"), (["delete", "nobody"], "404"),
                        (["rotate", "nobody", "primary"], "404"), (["create", "x", "--name", "a\nb"], "/name")):
        shown = account(service, *args)
        assert (shown.returncode, shown.stdout) == (1, ""), args
        assert words in shown.stderr, shown.stderr
    wrong = account(service, "list", token="wrong")
    assert wrong.returncode == 1 and "401" in wrong.stderr


def test_wrong_usage(service, tmp_path):
    for args in ([], ["fly"], ["list", "x"], ["create", "a", "b"], ["delete"], ["rotate", "blue"],
                 ["rotate", "blue", "third"], ["delete", "../x"]):
        shown = account(service, *args)
        assert (shown.returncode, shown.stdout) == (2, ""), args
    assert "operator token" in account(service, "list", token=None).stderr
    token = tmp_path / "token"
    token.write_text(OPERATOR + "\n")
    assert account(service, "list", "--operator-token-file", str(token), token=None).returncode == 0
    assert account(service, "list", "--operator-token-file", str(token)).returncode == 2


def test_nobody_listens(service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    shown = account(service, "list", port=port)
    assert shown.returncode == 1 and str(port) in shown.stderr
