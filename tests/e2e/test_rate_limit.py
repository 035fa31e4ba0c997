"""So many requests an account and window; the operator as many as it wants."""
import pytest

from conftest import OPERATOR

AS_OPERATOR = {"Authorization": f"Bearer {OPERATOR}"}


def test_past_the_limit_it_is_429_and_every_answer_says_what_is_left(make_service):
    service = make_service("--dev", "--rate-limit", "5/86400").start()
    paths = ["/v1/webhooks", "/v1/webhooks/nothing", "/v1/deliveries?x=1", "/v1/account", "/v1/accounts"]
    for left, (path, status) in zip((4, 3, 2, 1, 0), zip(paths, (200, 404, 400, 200, 403))):
        answer = service.request("GET", path)
        assert answer.status == status
        assert answer.headers["x-ratelimit-limit"] == "5" and answer.headers["x-ratelimit-remaining"] == str(left)
    answer = service.request("GET", "/v1/webhooks")
    assert answer.status == 429 and answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 429
    assert answer.headers["x-ratelimit-limit"] == "5" and answer.headers["x-ratelimit-remaining"] == "0"
    assert 1 <= int(answer.headers["retry-after"]) <= 86400
    # Nobody whose key is not valid is told anything, and the operator is not counted.
    answer = service.request("GET", "/v1/webhooks", key="no-such-key-0123456789")
    assert answer.status == 401 and "x-ratelimit-limit" not in answer.headers
    answer = service.request("GET", "/v1/webhooks", key=None, headers=AS_OPERATOR)
    assert answer.status == 200 and "x-ratelimit-limit" not in answer.headers


def test_an_import_is_one_request_and_says_what_is_left(make_service):
    service = make_service("--dev", "--rate-limit", "2/86400").start()
    answer = service.request("POST", "/v1/calls/import", b"{}\n{}\n", {"Content-Type": "application/x-ndjson"})
    assert answer.status == 200 and answer.headers["x-ratelimit-remaining"] == "1"


def test_a_hundred_in_fifteen_seconds_unless_told_otherwise(make_service):
    service = make_service("--dev")
    service.environment = lambda made=service.environment: {
        k: v for k, v in made().items() if k != "CALLHOOK_RATE_LIMIT"}
    service.start()
    assert service.request("GET", "/v1/webhooks").headers["x-ratelimit-limit"] == "100"


@pytest.mark.parametrize("text", ["", "100", "0/15", "5/0", "5/x", "-5/15", "5/15s", "1000001/15", "on"])
def test_a_limit_that_is_none_is_refused(make_service, text):
    service = make_service("--dev", "--rate-limit", text)
    with pytest.raises(AssertionError, match="COUNT/SECONDS"):
        service.start()
    service.process.wait()
    service.process.stdout.close()
    service.process = None
