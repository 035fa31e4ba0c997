"""The hooks that automation platforms make: a webhook for the calls of one agent."""
import json
from concurrent.futures import ThreadPoolExecutor

from conftest import some_call

AGENT = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
OTHER = "5d10c3cc-0d44-4b50-8888-8dd25736052b"


def hook(receiver, **changes):
    return {"url": receiver.url(), "agentId": AGENT, "name": "flow", "trigger": "POST_CALL", **changes}


def test_a_hook_brings_the_calls_of_its_agent(service, receiver):
    answer = service.request("POST", "/v1/integrations/hooks", hook(receiver))
    assert answer.status == 201
    made = answer.json()
    assert isinstance(made, str)
    service.put(some_call(agentId=OTHER))
    call = some_call(agentId=AGENT)
    service.put(call)
    assert json.loads(receiver.next().body)["id"] == call["id"]
    shown = service.request("GET", f"/v1/webhooks/{made}").json()
    assert (shown["agentIds"], shown["name"], shown["enabled"]) == ([AGENT], "flow", True)


def test_asked_for_twice_it_is_the_same(service, receiver):
    first = service.request("POST", "/v1/integrations/hooks", hook(receiver))
    again = service.request("POST", "/v1/integrations/hooks", hook(receiver, name="renamed"))
    other = service.request("POST", "/v1/integrations/hooks", hook(receiver, agentId=OTHER))
    assert (first.status, again.status, other.status) == (201, 201, 201)
    assert first.json() == again.json() != other.json()
    assert len(service.request("GET", "/v1/webhooks").json()["content"]) == 2


def test_one_that_sends_less_is_not_the_same(service, receiver):
    first = service.request("POST", "/v1/integrations/hooks", hook(receiver)).json()
    assert service.request("POST", f"/v1/webhooks/{first}/disable", {}).status == 200
    second = service.request("POST", "/v1/integrations/hooks", hook(receiver)).json()
    assert second != first
    assert service.request("PATCH", f"/v1/webhooks/{second}", {"statuses": ["FAILED"]}).status == 200
    third = service.request("POST", "/v1/integrations/hooks", hook(receiver)).json()
    assert third not in (first, second)
    assert service.request("POST", "/v1/integrations/hooks", hook(receiver)).json() == third


def test_many_at_once_make_one(service, receiver):
    asked = hook(receiver)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: service.request("POST", "/v1/integrations/hooks", asked), range(16)))
    assert [a.status for a in answers] == [201] * 16
    assert len({a.json() for a in answers}) == 1
    assert len(service.request("GET", "/v1/webhooks").json()["content"]) == 1


def test_no_more_than_an_account_may_have(service, receiver):
    for n in range(50):
        made = service.request("POST", "/v1/integrations/hooks", hook(receiver, url=f"{receiver.url()}?{n}"))
        assert made.status == 201
    assert service.request("POST", "/v1/integrations/hooks", hook(receiver)).status == 409
    again = service.request("POST", "/v1/integrations/hooks", hook(receiver, url=f"{receiver.url()}?49"))
    assert (again.status, again.json()) == (201, made.json())


def test_it_goes(service, receiver):
    made = service.request("POST", "/v1/integrations/hooks", hook(receiver)).json()
    assert service.request("DELETE", f"/v1/integrations/hooks/{made}").status == 204
    assert service.request("DELETE", f"/v1/integrations/hooks/{made}").status == 404
    assert service.request("GET", f"/v1/webhooks/{made}").status == 404


def test_what_is_wrong_is_named(service, receiver):
    for changes, pointer in (({"trigger": "PRE_CALL"}, "/trigger"), ({"trigger": None}, "/trigger"),
                             ({"agentId": "x"}, "/agentId"), ({"agentId": AGENT.upper()}, "/agentId"),
                             ({"url": "ftp://example.com/"}, "/url"), ({"name": 1}, "/name"), ({"more": 1}, "/more")):
        answer = service.request("POST", "/v1/integrations/hooks", hook(receiver, **changes))
        assert answer.status == 400, changes
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
    assert service.request("GET", "/v1/webhooks").json()["content"] == []
