"""Who changed or revealed what, when."""
from conftest import OPERATOR


def entries(service, query=""):
    return service.request("GET", f"/v1/audit{query}").json()


def test_changes_and_reveals_are_kept_newest_first(service, receiver):
    webhook, secret = service.webhook(receiver.url())
    path = f"/v1/webhooks/{webhook}"
    service.request("PATCH", path, {"name": "crm"})
    service.request("POST", f"{path}/secret/rotate", {"overlap": 60})
    service.request("POST", f"{path}/secret/rotate/cancel")
    assert service.request("POST", f"{path}/secret/reveal").json()["secret"] == secret
    page = entries(service)
    assert [e["action"] for e in page["content"]] == [
        "secret.reveal", "secret.rotate_cancel", "secret.rotate", "webhook.update", "secret.create",
        "webhook.create"]
    assert page["next"] is None
    assert {e["objectId"] for e in page["content"]} == {webhook}
    assert {e["actor"] for e in page["content"]} == {"api key primary"}
    assert {e["address"] for e in page["content"]} == {"127.0.0.1"}
    assert secret not in str(page) and page["content"][3]["detail"] == '{"changed":["name"]}'


def test_pages_follow_one_another(service, receiver):
    service.webhook(receiver.url())
    first = entries(service, "?size=1")
    second = entries(service, f"?size=1&after={first['next']}")
    assert [e["action"] for e in first["content"] + second["content"]] == ["secret.create", "webhook.create"]
    assert second["next"] is None


def test_what_failed_is_not_in_it(service):
    assert service.request("POST", "/v1/webhooks", {"url": "nonsense"}).status == 400
    assert entries(service)["content"] == []


def test_the_operator_is_named(service, receiver):
    answer = service.request("POST", "/v1/webhooks", {"url": receiver.url()}, key=None,
                             headers={"Authorization": f"Bearer {OPERATOR}"})
    assert answer.status == 201
    assert entries(service)["content"][0]["actor"] == "operator"


def test_bad_queries_are_named(service):
    for query, word in (("?size=0", "size"), ("?size=101", "size"), ("?after=x", "after"), ("?from=1", "from"),
                        ("?after=AAAAAAAAAAAAAAAAAAAAAA", "after")):
        answer = service.request("GET", f"/v1/audit{query}")
        assert answer.status == 400 and word in answer.body.decode(), query
