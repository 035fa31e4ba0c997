"""What conftest asks of each answer finds what it is there to find."""
import json

import pytest

from conftest import Answer
from openapi_answers import problems_of

PRIVATE = {"Cache-Control": "private, no-cache"}
HOOK = "/v1/integrations/hooks"
MADE = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


def json_answer(status, value, media="application/json", **headers):
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, {"Content-Type": media, **PRIVATE, **headers}.items(), json.dumps(value).encode())


def problem(status, **headers):
    return json_answer(status, {"type": "about:blank", "status": status, "title": "x"}, "application/problem+json",
                       **headers)


def ready(**changes):
    made = json_answer(200, {"status": "ok", "sending": "ok", **changes})
    del made.headers["cache-control"]
    return made


def test_what_is_described_passes():
    assert list(problems_of("GET", "/readyz", None, ready())) == []
    assert list(problems_of("HEAD", "/readyz", None, Answer(200, {}.items(), b""))) == []
    assert list(problems_of("GET", "/v1/webhooks", None, problem(401, WWW_Authenticate="ApiKey"))) == []
    assert list(problems_of("GET", "/nothing/here", None, problem(404))) == []


@pytest.mark.parametrize("method, target, body, answer, found", [
    ("GET", "/readyz", None, ready(more=1), "'more' was unexpected"),
    ("GET", "/readyz", None, ready(status="fine"), "'fine' is not one of"),
    ("GET", "/readyz", None, json_answer(200, {"status": "ok", "sending": "ok"}), "header cache-control is not described"),
    ("GET", "/readyz", None, Answer(200, {}.items(), b""), "the body is missing"),
    ("GET", "/readyz", None, Answer(418, {}.items(), b""), "status 418 is not described"),
    ("GET", "/v1/webhooks", None, problem(401), "header www-authenticate is missing"),
    ("GET", "/v1/webhooks", None, json_answer(400, {}), "content type 'application/json' is not described"),
    ("GET", "/v1/webhooks", None, problem(429, Retry_After="soon"), "header retry-after"),
    ("GET", "/v1/webhooks?a=b", None, json_answer(200, {"content": []}), "query parameter a was accepted"),
    ("GET", "/v1/deliveries?size=101", None, json_answer(200, {"content": [], "next": None}), "query parameter size"),
    ("POST", HOOK, {"url": "x", "more": 1}, json_answer(201, MADE, Location="/x"), "accepted body"),
    ("GET", "/v1/nothing", None, json_answer(200, {}), "status 200 is not described"),
])
def test_what_is_not_described_is_found(method, target, body, answer, found):
    assert any(found in one for one in problems_of(method, target, body, answer)), list(
        problems_of(method, target, body, answer))
