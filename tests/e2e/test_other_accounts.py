"""What belongs to another account is not there: every path of openapi.json that names something by its id."""
import json
import os
import re

import pytest

from conftest import API_KEY, OPERATOR, ROOT, some_call

PARAMETER = re.compile(r"\{\w+\}")
# Paths whose parameter names nothing that belongs to an account, and what else is made good by its own test.
NOT_OWNED = {"/v1/account/keys/{slot}/rotate", "/assets/{name}"}
# A PUT makes it: the caller's own, beside the other account's.
MADE_BY_PUT = {"/v1/calls/{id}", "/v1/agents/{id}"}
BODIES = {"/v1/webhooks/{id}/replay": {"from": "2020-01-01T00:00:00Z"}}


def owned():
    """(method, path) of what is built, asks for an account, and names something."""
    with open(os.path.join(ROOT, "src", "api", "openapi.json"), encoding="utf-8") as f:
        paths = json.load(f)["paths"]
    for path, item in paths.items():
        for method, operation in item.items():
            is_accounts = any(set(s) != {"operator"} for s in operation["security"])
            if is_accounts and PARAMETER.search(path) and path not in NOT_OWNED and "x-planned" not in operation:
                yield method.upper(), path


class Pair:
    """A service where `default` has one of each thing, and `other` nothing."""

    def __init__(self, service, receiver):
        self.service = service
        answer = self.operator("POST", "/v1/accounts", {"id": "other"})
        self.other_key = answer.json()["keys"]["primary"]
        self.call = some_call()
        webhook, _ = service.webhook(receiver.url())
        service.put(self.call)
        receiver.next()
        delivery = service.wait_delivery(self.call["id"], "DELIVERED")["id"]
        assert service.request("POST", f"/v1/webhooks/{webhook}/secret/rotate").status == 201
        replay = service.request("POST", f"/v1/webhooks/{webhook}/replay", {"from": "2020-01-01T00:00:00Z"})
        assert replay.status == 202, replay.body
        replay = replay.json()["id"]
        service.wait_for(f"/v1/replays/{replay}", lambda job: job["state"] != "RUNNING")
        hook = service.request("POST", "/v1/integrations/hooks", {
            "url": receiver.url(path="/flow"), "agentId": self.call["agentId"], "name": "f",
            "trigger": "POST_CALL"}).json()
        self.ids = {"/v1/calls/": self.call["id"], "/v1/webhooks/": webhook, "/v1/deliveries/": delivery,
                    "/v1/replays/": replay, "/v1/integrations/hooks/": hook, "/v1/agents/": self.call["agentId"]}

    def operator(self, method, path, body=None, **headers):
        return self.service.request(method, path, body, key=None,
                                    headers={"Authorization": f"Bearer {OPERATOR}", **headers})

    def path(self, pattern):
        """A pattern that no thing is made for here fails: a new route needs one."""
        return PARAMETER.sub(next(made for start, made in self.ids.items() if pattern.startswith(start)), pattern)

    def everything(self):
        """All that the first account can be shown, but for what changes by itself."""
        shown = [self.service.request("GET", self.path(p)).body for m, p in owned() if m == "GET"]
        return shown + [self.service.request("GET", p).body for p in ("/v1/webhooks", "/v1/deliveries", "/v1/replays",
                                                                      "/v1/audit")]


@pytest.fixture
def pair(service, receiver):
    return Pair(service, receiver)


def body_of(method, pattern):
    if method == "PATCH":
        return {"name": "mine"}
    return BODIES.get(pattern, {}) if method == "POST" else None


def test_all_of_it_is_a_404_to_another_account(pair):
    before = pair.everything()
    tried = list(owned())
    assert len(tried) >= 18
    for method, pattern in tried:
        if method == "PUT" and pattern in MADE_BY_PUT:
            continue
        path, body = pair.path(pattern), body_of(method, pattern)
        for answer in (pair.service.request(method, path, body, key=pair.other_key),
                       pair.operator(method, path, body, **{"X-Account-Id": "other"})):
            assert answer.status == 404, (method, pattern, answer.status, answer.body)
            assert answer.headers["content-type"] == "application/problem+json"
    assert pair.everything() == before


def test_it_is_there_for_its_own(pair):
    """Else the 404 above would say nothing."""
    for method, pattern in owned():
        if method == "GET":
            assert pair.service.request(method, pair.path(pattern)).status == 200, pattern
    for pattern in ("/v1/integrations/hooks/{id}", "/v1/webhooks/{id}"):
        assert pair.service.request("DELETE", pair.path(pattern)).status == 204


def test_a_put_makes_the_callers_own(pair):
    mine = {**pair.call, "summary": "mine"}
    before = pair.service.request("GET", pair.path("/v1/calls/{id}")).body
    path = pair.path("/v1/calls/{id}")
    assert pair.service.request("PUT", path, mine, key=pair.other_key).status == 201
    assert pair.service.request("GET", path).body == before
    assert pair.service.request("GET", path, key=pair.other_key).json()["summary"] == "mine"


def test_lists_show_nothing_of_another_account(pair):
    webhook, call = pair.ids["/v1/webhooks/"], pair.ids["/v1/calls/"]
    for path in ("/v1/webhooks", "/v1/deliveries", "/v1/replays", "/v1/audit", f"/v1/deliveries?webhookId={webhook}",
                 f"/v1/deliveries?callId={call}", f"/v1/replays?webhookId={webhook}"):
        answer = pair.service.request("GET", path, key=pair.other_key)
        assert answer.status in (200, 404), path
        assert answer.status == 404 or answer.json()["content"] == [], path
        assert pair.service.request("GET", path, key=API_KEY).json()["content"] != [], path


def test_a_key_does_not_open_another_account(pair):
    for account, status in (("default", 400), ("nobody", 400), ("other", 200)):
        answer = pair.service.request("GET", "/v1/account", key=pair.other_key, headers={"X-Account-Id": account})
        assert answer.status == status, account
