"""Bearer tokens: what they may do, and what ends them."""
import base64
import json

import pytest

from conftest import API_KEY, OPERATOR, some_call


def mint(service, *scopes, **kwargs):
    answer = service.request("POST", "/v1/auth/token", {"scope": list(scopes)}, **kwargs)
    assert answer.status == 200, answer.body
    made = answer.json()
    assert made["tokenType"] == "Bearer" and made["expiresIn"] == 900
    assert answer.headers["cache-control"] == "no-store"
    return made["token"]


def ask(service, token, method, path, body=None, **headers):
    return service.request(method, path, body, {"Authorization": f"Bearer {token}", **headers}, key=None)


def test_a_token_may_what_its_scopes_say(service):
    call = some_call()
    token = mint(service, "calls:write", "integrations:read")
    assert ask(service, token, "PUT", f"/v1/calls/{call['id']}", call).status == 201
    assert ask(service, token, "GET", "/v1/webhooks").status == 200
    for method, path, body in (("GET", f"/v1/calls/{call['id']}", None), ("POST", "/v1/webhooks", {"url": "x"})):
        answer = ask(service, token, method, path, body)
        assert answer.status == 403 and "scope" in answer.json()["detail"]
    assert ask(service, mint(service, "calls:read"), "GET", f"/v1/calls/{call['id']}").status == 200


def test_a_token_makes_no_token_and_has_no_account(service):
    token = mint(service, "calls:read", "calls:write", "integrations:read", "integrations:write")
    assert ask(service, token, "POST", "/v1/auth/token", {"scope": ["calls:read"]}).status == 403
    assert ask(service, token, "GET", "/v1/account").status == 403
    assert ask(service, token, "POST", "/v1/account/keys/primary/rotate").status == 403
    assert ask(service, token, "GET", "/v1/accounts").status == 403


def test_rotating_a_key_ends_its_tokens_also_over_a_restart(service):
    first = mint(service, "integrations:read")
    secondary = service.request("POST", "/v1/account/keys/secondary/rotate").json()["key"]
    second = mint(service, "integrations:read", key=secondary)
    assert ask(service, first, "GET", "/v1/webhooks").status == 200
    service.stop()
    service.start()
    assert ask(service, first, "GET", "/v1/webhooks").status == 200
    service.request("POST", "/v1/account/keys/secondary/rotate")
    assert ask(service, first, "GET", "/v1/webhooks").status == 200
    assert ask(service, second, "GET", "/v1/webhooks").status == 401


def test_the_operators_token_is_for_the_account_it_named(make_service):
    service = make_service("--dev").start()
    head = {"Authorization": f"Bearer {OPERATOR}"}
    assert service.request("POST", "/v1/accounts", {"id": "b"}, head, key=None).status == 201
    token = mint(service, "integrations:read", key=None, headers={**head, "X-Account-Id": "b"})
    assert ask(service, token, "GET", "/v1/webhooks").status == 200
    assert ask(service, token, "GET", "/v1/webhooks", **{"X-Account-Id": "default"}).status == 400
    assert service.request("DELETE", "/v1/accounts/b", None, head, key=None).status == 204
    assert ask(service, token, "GET", "/v1/webhooks").status == 401
    token = mint(service, "integrations:read", key=None, headers=head)
    service.stop()
    service.env["CALLHOOK_OPERATOR_TOKEN"] = "another-" + OPERATOR
    service.start()
    assert ask(service, token, "GET", "/v1/webhooks").status == 401


def test_the_log_names_the_token_and_the_limit_counts_it(make_service, receiver):
    service = make_service("--dev", "--rate-limit", "3/86400").start()
    token = mint(service, "integrations:write")
    assert ask(service, token, "POST", "/v1/webhooks", {"url": receiver.url()}).status == 201
    assert service.request("GET", "/v1/audit").json()["content"][0]["actor"] == "token of api key primary"
    answer = ask(service, token, "POST", "/v1/webhooks", {"url": receiver.url()})
    assert answer.status == 429 and answer.headers["x-ratelimit-remaining"] == "0"


def test_what_is_no_token_is_401(service):
    token = mint(service, "integrations:read")
    head, claims, signature = token.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    for bad in ("", "x", "..", token + "x", token[:-4], f"{none}.{claims}.", f"{none}.{claims}.{signature}",
                f"{head}.{claims}.", f"{head}..{signature}", "x" * 5000, API_KEY):
        answer = ask(service, bad, "GET", "/v1/webhooks")
        assert answer.status == 401 and "www-authenticate" in answer.headers, bad
    assert service.request("GET", "/v1/webhooks", headers={"Authorization": f"Bearer {token}"}).status == 401


@pytest.mark.parametrize("body, pointer", [({}, "/scope"), ({"scope": []}, "/scope"), ({"scope": "calls:read"}, "/scope"),
                                           ({"scope": ["calls:read", "all"]}, "/scope/1"),
                                           ({"scope": ["calls:read"], "x": 1}, "/x")])
def test_a_wish_that_is_none_is_named(service, body, pointer):
    answer = service.request("POST", "/v1/auth/token", body)
    assert answer.status == 400 and [e["pointer"] for e in answer.json()["errors"]] == [pointer]
