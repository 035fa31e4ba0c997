"""Tokens, sessions and portal links: who may do what with them, and when they end."""
import base64
import hashlib
import hmac
import json
import time

import pytest

from conftest import API_KEY, OPERATOR, some_call

BEARER = {"Authorization": f"Bearer {OPERATOR}"}
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def service(make_service):
    return make_service("--dev").start()


def mint(service, *scopes, key=API_KEY):
    answer = service.request("POST", "/v1/auth/token", {"scope": list(scopes)}, key=key)
    assert answer.status == 200, answer.body
    return answer.json()["token"]


def with_token(service, method, path, token, body=None):
    return service.request(method, path, body, {"Authorization": f"Bearer {token}"}, key=None)


def sign_in(service, key=API_KEY, **body):
    return service.request("POST", "/v1/session", body or None, key=key)


def cookie_of(answer):
    assert answer.status == 201, answer.body
    return answer.headers["set-cookie"].split(";")[0]


def with_cookie(service, method, path, cookie, body=None, **headers):
    return service.request(method, path, body, {"Cookie": cookie, **headers}, key=None)


def link(service, account="default", **body):
    answer = service.request("POST", f"/v1/accounts/{account}/portal-link", body, BEARER, key=None)
    assert answer.status == 201, answer.body
    return answer.json()["url"].split("#link=")[1]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encoded(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_token_may_what_its_scopes_say(service):
    token = mint(service, "calls:read")
    call = some_call()
    service.put(call)
    assert with_token(service, "GET", f"/v1/calls/{call['id']}", token).status == 200
    refused = with_token(service, "GET", "/v1/webhooks", token)
    assert refused.status == 403 and "integrations:read" in refused.json()["detail"]
    assert with_token(service, "PUT", f"/v1/calls/{call['id']}", token, call).status == 403


def test_a_token_makes_no_token_and_owns_nothing(service):
    token = mint(service, "calls:read", "calls:write", "integrations:read", "integrations:write")
    for method, path in (("POST", "/v1/auth/token"), ("GET", "/v1/account"),
                         ("POST", "/v1/account/keys/primary/rotate")):
        assert with_token(service, method, path, token, {"scope": ["calls:read"]}).status == 403, path


def test_it_is_a_jwt_for_15_minutes(service):
    token = mint(service, "calls:read")
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert head["alg"] == "HS256" and head["typ"] == "JWT"
    said = claims(token)
    assert 0 < said["exp"] - time.time() <= 900 and said["scope"] == ["calls:read"] and said["sub"] == "default"


def test_what_is_not_ours_is_refused(service, tmp_path):
    """The signing key is the one beside the store, so that tokens can be made here that only differ in one thing."""
    token = mint(service, "calls:read")
    head, body, mac = token.split(".")
    with open(f"{tmp_path}/callhook.db.key", encoding="ascii") as f:
        seal = bytes.fromhex(f.read().strip())
    key = hmac.new(seal, b"callhook token v1", hashlib.sha256).digest()

    def signed(head, said, key=key, digest=hashlib.sha256):
        text = f"{encoded(head)}.{encoded(said)}"
        return f"{text}.{encoded(hmac.new(key, text.encode(), digest).digest())}"

    good_head = json.loads(base64.urlsafe_b64decode(head + "=="))
    said = claims(token)
    assert with_token(service, "GET", "/v1/calls/3c90c3cc-0d44-4b50-8888-8dd25736052a",
                      signed(good_head, said)).status == 404
    without = {name: value for name, value in said.items() if name != "exp"}
    bad = {
        "another algorithm": signed({**good_head, "alg": "HS512"}, said, digest=hashlib.sha512),
        "says another algorithm": signed({**good_head, "alg": "HS512"}, said),
        "none": f"{encoded({**good_head, 'alg': 'none'})}.{body}.",
        "none, signed": signed({**good_head, "alg": "none"}, said),
        "no signature": f"{head}.{body}",
        "no exp": signed(good_head, without),
        "exp as text": signed(good_head, {**said, "exp": str(said["exp"])}),
        "over": signed(good_head, {**said, "exp": int(time.time()) - 1}),
        "another audience": signed(good_head, {**said, "aud": "callhook-session"}),
        "no audience": signed(good_head, {**said, "aud": None}),
        "another account": signed(good_head, {**said, "sub": "other"}),
        "an account that came later": signed(good_head, {**said, "since": said["since"] + 1}),
        "an unknown key": signed({**good_head, "kid": "00" * 8}, said),
        "a short kid": signed({**good_head, "kid": "00"}, said),
        "critical": signed({**good_head, "crit": ["b64"]}, said),
        "another signer": signed(good_head, said, key=b"x" * 32),
        "tampered": f"{head}.{encoded({**said, 'scope': ['calls:read', 'calls:write']})}.{mac}",
        "a bit off": token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
        "padded": token + "=",
        "four parts": token + ".x",
        "long": token + "A" * 5000,
        "noise": "....",
        "not JSON": signed(good_head, b"noise"),
        "a list": signed(good_head, [said]),
    }
    for why, one in bad.items():
        answer = with_token(service, "GET", "/v1/calls/3c90c3cc-0d44-4b50-8888-8dd25736052a", one)
        assert answer.status == 401, why


def test_rotating_a_key_ends_its_tokens_and_sessions_only(service):
    token, cookie = mint(service, "integrations:read"), cookie_of(sign_in(service))
    rotated = service.request("POST", "/v1/account/keys/secondary/rotate").json()["key"]
    other = mint(service, "integrations:read", key=rotated)
    assert with_token(service, "GET", "/v1/webhooks", token).status == 200
    assert service.request("POST", "/v1/account/keys/primary/rotate").status == 200
    assert with_token(service, "GET", "/v1/webhooks", token).status == 401
    assert with_cookie(service, "GET", "/v1/webhooks", cookie).status == 401
    assert with_token(service, "GET", "/v1/webhooks", other).status == 200


def test_a_session_is_a_cookie_that_scripts_cant_read(service):
    answer = sign_in(service)
    assert answer.status == 201
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"):
        assert part in cookie
    shown = answer.json()
    assert shown["accountId"] == "default" and shown["permit"] == ["rotate", "reveal", "erase", "keys"]
    assert answer.headers["cache-control"] == "no-store"
    assert with_cookie(service, "GET", "/v1/account", cookie_of(answer)).status == 200


def test_signing_in_with_a_wrong_key(service):
    assert sign_in(service, key="not-a-key-0123456789").status == 401
    assert sign_in(service, key=None).status == 401


def test_changes_come_from_the_pages_own_origin(service, receiver):
    cookie = cookie_of(sign_in(service))
    body = {"url": receiver.url()}
    host = f"127.0.0.1:{service.port}"
    for headers, status in (({}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
                            ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
                            ({"Origin": f"http://{host}"}, 201), (OWN, 201)):
        answer = with_cookie(service, "POST", "/v1/webhooks", cookie, body, **headers)
        assert answer.status == status, (headers, answer.body)
    assert with_cookie(service, "GET", "/v1/webhooks", cookie).status == 200


def test_signing_out_holds_also_after_a_restart(make_service):
    service = make_service("--dev").start()
    cookie, other = cookie_of(sign_in(service)), cookie_of(sign_in(service))
    out = with_cookie(service, "DELETE", "/v1/session", cookie, **OWN)
    assert out.status == 204 and "Max-Age=0" in out.headers["set-cookie"]
    assert with_cookie(service, "GET", "/v1/account", cookie).status == 401
    assert with_cookie(service, "GET", "/v1/account", other).status == 200
    service.stop()
    service = make_service("--dev", store=service.store).start()
    assert with_cookie(service, "GET", "/v1/account", cookie).status == 401
    assert with_cookie(service, "GET", "/v1/account", other).status == 200


def test_a_key_has_no_session_to_end(service):
    assert service.request("DELETE", "/v1/session").status == 400


def test_a_portal_link_opens_one_session_with_less(service, receiver):
    webhook, _ = service.webhook(receiver.url())
    token = link(service)
    opened = sign_in(service, key=None, link=token)
    cookie = cookie_of(opened)
    assert opened.json()["scopes"] == ["calls:read", "integrations:read", "integrations:write"]
    assert opened.json()["permit"] == []
    assert sign_in(service, key=None, link=token).status == 401
    assert with_cookie(service, "GET", "/v1/webhooks", cookie).status == 200
    call = some_call()
    assert with_cookie(service, "PUT", f"/v1/calls/{call['id']}", cookie, call, **OWN).status == 403
    for path in (f"/v1/webhooks/{webhook}/secret/reveal", f"/v1/webhooks/{webhook}/secret/rotate",
                 "/v1/account/keys/primary/rotate"):
        assert with_cookie(service, "POST", path, cookie, **OWN).status == 403, path
    assert with_cookie(service, "DELETE", f"/v1/webhooks/{webhook}/secret", cookie, **OWN).status == 403
    assert service.request("GET", f"/v1/webhooks/{webhook}").json()["secured"] is True


def test_a_link_may_secure_a_webhook_and_not_undo_it(service, receiver):
    """Dropping a secret and generating one is a rotation by another way."""
    webhook, _ = service.webhook(receiver.url(), secret=False)
    cookie = cookie_of(sign_in(service, key=None, link=link(service)))
    secret = f"/v1/webhooks/{webhook}/secret"
    assert with_cookie(service, "POST", secret, cookie, **OWN).status == 201
    assert with_cookie(service, "POST", secret, cookie, **OWN).status == 409
    assert with_cookie(service, "DELETE", secret, cookie, **OWN).status == 403
    other = cookie_of(sign_in(service, key=None, link=link(service, permit=["rotate"])))
    assert with_cookie(service, "POST", f"{secret}/rotate", other, **OWN).status == 201
    assert with_cookie(service, "DELETE", secret, other, **OWN).status == 204


def test_the_accounts_keys_are_for_links_that_name_them(service):
    rotate = "/v1/account/keys/secondary/rotate"
    cookie = cookie_of(sign_in(service, key=None, link=link(service, permit=["rotate", "reveal", "erase"])))
    assert with_cookie(service, "POST", rotate, cookie, **OWN).status == 403
    cookie = cookie_of(sign_in(service, key=None, link=link(service, permit=["keys"])))
    assert with_cookie(service, "POST", rotate, cookie, **OWN).status == 200


def test_a_portal_link_gives_what_was_asked_for(service, receiver):
    webhook, secret = service.webhook(receiver.url())
    opened = sign_in(service, key=None, link=link(service, scopes=["integrations:write"], permit=["reveal"]))
    assert opened.json()["scopes"] == ["integrations:write"] and opened.json()["permit"] == ["reveal"]
    cookie = cookie_of(opened)
    revealed = with_cookie(service, "POST", f"/v1/webhooks/{webhook}/secret/reveal", cookie, **OWN)
    assert revealed.json()["secret"] == secret
    assert with_cookie(service, "GET", "/v1/webhooks", cookie).status == 403


def test_links_are_the_operators_and_their_accounts(service):
    assert service.request("POST", "/v1/accounts/default/portal-link", {}).status == 403
    assert service.request("POST", "/v1/accounts/nobody/portal-link", {}, BEARER, key=None).status == 404
    for body, pointer in (({"scopes": []}, "/scopes"), ({"scopes": ["all"]}, "/scopes/0"),
                          ({"expiresIn": 5}, "/expiresIn"), ({"permit": "rotate"}, "/permit"), ({"x": 1}, "/x")):
        answer = service.request("POST", "/v1/accounts/default/portal-link", body, BEARER, key=None)
        assert answer.status == 400 and answer.json()["errors"][0]["pointer"] == pointer, body


def test_a_session_ends_with_its_account(service):
    made = service.request("POST", "/v1/accounts", {"id": "gone"}, BEARER, key=None).json()
    by_key = cookie_of(sign_in(service, key=made["keys"]["primary"]))
    by_link = cookie_of(sign_in(service, key=None, link=link(service, "gone")))
    unused = link(service, "gone")
    assert with_cookie(service, "GET", "/v1/webhooks", by_link).status == 200
    assert service.request("DELETE", "/v1/accounts/gone", headers=BEARER, key=None).status == 204
    assert with_cookie(service, "GET", "/v1/webhooks", by_key).status == 401
    assert with_cookie(service, "GET", "/v1/webhooks", by_link).status == 401
    assert sign_in(service, key=None, link=unused).status == 401


def test_kinds_of_tokens_do_not_pass_for_each_other(service):
    session = cookie_of(sign_in(service)).split("=", 1)[1]
    bearer, portal = mint(service, "calls:read"), link(service)
    for token in (session, portal):
        assert with_token(service, "GET", "/v1/webhooks", token).status == 401
    for token in (bearer, portal):
        assert with_cookie(service, "GET", "/v1/webhooks", f"callhook_session={token}").status == 401
    for token in (bearer, session):
        assert sign_in(service, key=None, link=token).status == 401


def test_the_log_says_how_one_came_in(service):
    cookie = cookie_of(sign_in(service, key=None, link=link(service)))
    made = with_cookie(service, "POST", "/v1/webhooks", cookie, {"url": "https://crm.example.com/"}, **OWN)
    assert made.status == 201, made.body
    entries = service.request("GET", "/v1/audit").json()["content"]
    assert [(e["action"], e["actor"]) for e in entries[:2]] == [
        ("webhook.create", "session of portal link"), ("session.open", "portal link")]
    operators = service.request("GET", "/v1/audit?log=installation", headers=BEARER, key=None).json()["content"]
    assert operators[0]["action"] == "account.portal_link" and operators[0]["objectId"] == "default"


@pytest.mark.parametrize("forwarded, is_https", [("https", True), ("http, https", True), ("HTTPS", True), ("http", False),
                                                 ("https, http", False), ("httpsx", False), (None, False)])
def test_behind_a_trusted_proxy_cookie_and_link_are_as_the_browser_sees_us(make_service, forwarded, is_https):
    service = make_service("--dev", "--trusted-proxy", "127.0.0.0/8").start()
    headers = {"X-Forwarded-Proto": forwarded} if forwarded else {}
    opened = service.request("POST", "/v1/session", headers=headers)
    assert ("; Secure" in opened.headers["set-cookie"]) == is_https
    made = service.request("POST", "/v1/accounts/default/portal-link", {}, {**BEARER, **headers}, key=None).json()
    assert made["url"].startswith(f"http{'s' if is_https else ''}://127.0.0.1:{service.port}/#link=")
    by_link = service.request("POST", "/v1/session", {"link": made["url"].split("=", 1)[1]}, headers, key=None)
    assert ("; Secure" in by_link.headers["set-cookie"]) == is_https


def test_a_stranger_does_not_say_what_is_encrypted(make_service):
    service = make_service("--dev").start()
    opened = service.request("POST", "/v1/session", headers={"X-Forwarded-Proto": "https"})
    assert opened.status == 201 and "Secure" not in opened.headers["set-cookie"]


def test_a_session_without_the_scope_changes_nothing_of_the_account(service):
    opened = sign_in(service, key=None, link=link(service, scopes=["calls:read"], permit=["keys"]))
    cookie = cookie_of(opened)
    assert with_cookie(service, "GET", "/v1/account", cookie).status == 200
    patched = service.request("PATCH", "/v1/account", {"eventsUrl": "https://evil.example/"},
                              {"Cookie": cookie, **OWN}, key=None)
    assert patched.status == 403
    assert with_cookie(service, "POST", "/v1/account/keys/primary/rotate", cookie, **OWN).status == 403
    assert service.request("GET", "/v1/account").json()["eventsUrl"] is None
    assert with_cookie(service, "DELETE", "/v1/session", cookie, **OWN).status == 204


def test_signing_in_counts_as_the_page(make_service):
    service = make_service("--dev", "--rate-limit", "3/3600").start()
    answers = [sign_in(service) for _ in range(4)]
    assert [a.status for a in answers] == [201, 201, 201, 429]
    assert answers[0].headers["x-ratelimit-remaining"] == "2" and answers[3].headers["retry-after"]
    # The programs' bucket is another.
    assert service.request("GET", "/v1/webhooks").headers["x-ratelimit-remaining"] == "2"
