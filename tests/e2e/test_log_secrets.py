"""At its most talkative the log names no secret, no key or token, no session and no phone number, whoever brought it."""
import base64
import json
import os
import re
import urllib.parse

import pytest

from conftest import API_KEY, OPERATOR, ROOT, some_call

PHONE = "+33698765432"
DIGITS = "98765432"
BROUGHT = "brought-secret-" + "z9" * 12
HEADER_VALUE = "own-header-value-7f3a"
URL_TOKEN = "url-token-5d21c0"
ANSWERED = "receivers-own-words-91ab"
PERSONAL = "Jeanne d'Ormesson-Hidden"
OPERATOR_AUTH = {"Authorization": f"Bearer {OPERATOR}"}
OWN = {"Sec-Fetch-Site": "same-origin"}


class Planted:
    """What must not be found, under the name of what it is."""

    def __init__(self):
        self.all = {}
        for name, text in (("api key", API_KEY), ("operator token", OPERATOR), ("phone number", DIGITS),
                           ("brought secret", BROUGHT), ("header's value", HEADER_VALUE), ("token in a URL", URL_TOKEN),
                           ("receiver's answer", ANSWERED), ("record", PERSONAL)):
            self.plant(name, text)

    def plant(self, name, text):
        self.all[text] = name
        return text

    def found_in(self, log):
        needles = {needle for text in self.all for needle in (text, urllib.parse.quote(text, safe=""))}
        needles |= {base64.b64encode(text.encode()).decode().rstrip("=") for text in self.all if len(text) > 8}
        return sorted(needle for needle in needles if needle in log)


def operations():
    with open(os.path.join(ROOT, "src", "api", "openapi.json"), encoding="utf-8") as f:
        paths = json.load(f)["paths"]
    return [(method.upper(), path, o) for path, item in paths.items() for method, o in item.items()
            if "x-planned" not in o]


def personal_call(**changes):
    return some_call(phone=PHONE, summary=f"{PERSONAL} asked to be called at {PHONE}",
                     context={"system.phone": PHONE, "name": PERSONAL}, **changes)


def every_route_refuses(service, credentials):
    """Each route, by each kind of caller, with phone numbers and secrets wherever it takes something."""
    for method, path, operation in operations():
        if path in ("/v1/deliveries/stream", "/v1/session") or (method, path) == ("DELETE", "/v1/accounts/{id}") \
                or path.startswith("/v1/account/keys"):
            continue  # an endless answer; what would end the callers that are used here
        place = re.sub(r"\{\w+\}", urllib.parse.quote(PHONE), path)
        query = f"?phone={urllib.parse.quote(PHONE)}&token={URL_TOKEN}&secret={BROUGHT}"
        for headers in credentials if operation["security"] else credentials[:1]:
            body = {"phone": PHONE, "secret": BROUGHT, "url": f"https://u:{BROUGHT}@x.example/?{URL_TOKEN}",
                    PERSONAL: PHONE} if "requestBody" in operation else None
            service.request(method, place, body, headers, key=None)
            service.request(method, place + query, body, headers, key=None)
            if body:
                service.request(method, place, f'{{"phone": "{PHONE}", "{BROUGHT}'.encode(),
                                {**headers, "Content-Type": "application/json"}, key=None)


def callers(service, planted):
    """One of each kind, good and bad."""
    key = {"X-Api-Key": API_KEY}
    token = planted.plant("bearer token", service.request(
        "POST", "/v1/auth/token", {"scope": ["calls:read", "calls:write", "integrations:read", "integrations:write"]}
    ).json()["token"])
    opened = service.request("POST", "/v1/session", None, key, key=None)
    session = planted.plant("session", opened.headers["set-cookie"].split(";")[0].split("=", 1)[1])
    name = opened.headers["set-cookie"].split("=")[0]
    url = service.request("POST", "/v1/accounts/default/portal-link", {}, OPERATOR_AUTH, key=None).json()["url"]
    link = planted.plant("portal link", url.split("#link=")[1])
    guest = service.request("POST", "/v1/session", {"link": link}, key=None)
    planted.plant("session by link", guest.headers["set-cookie"].split(";")[0].split("=", 1)[1])
    assert service.request("POST", "/v1/session", {"link": link}, key=None).status == 401
    for part in (token, session, link):
        planted.plant("part of a token", part.rsplit(".", 1)[-1])
    return [key, {"Authorization": f"Bearer {token}"}, {"Cookie": f"{name}={session}", **OWN}, OPERATOR_AUTH,
            {"X-Api-Key": planted.plant("wrong key", "wrong-key-0f9e8d7c6b5a")},
            {"Authorization": f"Bearer {token[:-4]}AAAA"}, {"Cookie": f"{name}={session[:-4]}AAAA"}, {}]


def accounts_and_keys(service, planted):
    made = service.request("POST", "/v1/accounts", {"name": PERSONAL}, OPERATOR_AUTH, key=None).json()
    for slot in ("primary", "secondary"):
        planted.plant(f"{slot} key", made["keys"][slot])
    keys = {"X-Api-Key": made["keys"]["primary"]}
    for slot in ("secondary", "primary"):
        turned = service.request("POST", f"/v1/account/keys/{slot}/rotate", None, keys, key=None)
        planted.plant("rotated key", turned.json()["key"])
    service.request("DELETE", f"/v1/accounts/{made['id']}", None, OPERATOR_AUTH, key=None)


def secrets(service, planted, webhook):
    base = f"/v1/webhooks/{webhook}/secret"
    planted.plant("secret", service.request("POST", base).json()["secret"])
    planted.plant("next secret", service.request("POST", f"{base}/rotate", {}).json()["secret"])
    assert service.request("POST", f"{base}/reveal").status == 200
    assert service.request("POST", f"{base}/rotate/cancel").status == 200
    assert service.request("DELETE", base).status == 204
    assert service.request("POST", base, {"secret": BROUGHT}).status == 201


def receivers_say(receiver):
    words = f"{ANSWERED} {PHONE} secret={BROUGHT}"
    for status, headers in ((500, {}), (302, {"Location": f"https://x.example/?phone={PHONE}&token={URL_TOKEN}"}),
                            (429, {"Retry-After": "1"}), (503, {"Retry-After": f"{PHONE}"}), (410, {})):
        receiver.answers.put((status, {"X-Word": ANSWERED, **headers}, words.encode()))


def deliveries(service, planted, receiver, make_receiver):
    """Delivered, refused in each way, in an answer that is none, sent again, erased."""
    url = receiver.url(path=f"/hook?phone={urllib.parse.quote(PHONE)}&token={URL_TOKEN}")
    webhook, _ = service.webhook(url, secret=False, headers={"Authorization": f"Bearer {HEADER_VALUE}"})
    secrets(service, planted, webhook)
    assert service.request("POST", f"/v1/webhooks/{webhook}/test").json()["ok"] is True
    assert service.request("POST", "/v1/webhooks/check", {"url": url}).json()["ok"] is True
    call = personal_call()
    assert service.put(call).status == 201
    service.wait_delivery(call["id"], "DELIVERED")
    lines = json.dumps(personal_call()) + "\n" + json.dumps({"phone": PHONE, "name": PERSONAL}) + "\n"
    service.request("POST", "/v1/calls/import", lines.encode(), {"Content-Type": "application/x-ndjson"})
    other = make_receiver()
    receivers_say(other)
    refusing, _ = service.webhook(other.url(path=f"/{URL_TOKEN}"), secret=False)
    service.put(personal_call())
    service.wait_for(f"/v1/webhooks/{refusing}", lambda w: w["state"] == "DISABLED")
    assert service.request("DELETE", f"/v1/calls/{call['id']}").status == 204


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_keeps_to_itself_what_is_not_its_business(make_service, receiver, make_receiver, form):
    service = make_service("--dev", "--log-level", "debug", "--log-format", form, "--retry-schedule",
                           "1s,1s,1s,1s,1s,1s,1s").start()
    planted = Planted()
    credentials = callers(service, planted)
    deliveries(service, planted, receiver, make_receiver)
    accounts_and_keys(service, planted)
    every_route_refuses(service, credentials)
    service.stop()
    log = service.logged()
    # It was talkative, and of all this.
    for event in ("request", "attempt", "lane", "secret_revealed", "stopped"):
        assert re.search(rf'\b{event}\b', log), event
    assert len(log.splitlines()) > 300
    for route in ("/v1/calls/import", "/v1/auth/token", "/v1/session", "/v1/webhooks/check"):
        assert route in log, route
    assert planted.found_in(log) == []


def test_what_it_looks_for_would_be_found():
    planted = Planted()
    assert planted.found_in(f"a line with {PHONE} in it") == [DIGITS]
    assert planted.found_in(f"key={urllib.parse.quote(API_KEY, safe='')}") == [API_KEY]
    assert planted.found_in(base64.b64encode(BROUGHT.encode()).decode()) != []
