"""Where webhooks may not go, in every spelling, and the name servers that do not answer."""
import json

import pytest

from conftest import some_call


REFUSED = [
    "http://example.com/",
    "https://user:pw@example.com/",
    "https://user@example.com/",
    "https://example.com/#part",
    "ftp://example.com/",
    "file:///etc/passwd",
    "example.com/hook",
    "https://",
    "https:///path",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://localhost/",
    "https://localhost./",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://example.com:0/",
    "https://example.com:70000/",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/\u0000",
    "https://example.com/" + "a" * 2048,
    "",
    7,
    None,
]


def test_urls_that_are_refused(make_service):
    service = make_service().start()
    for url in REFUSED:
        answer = service.request("POST", "/v1/webhooks", {"url": url})
        assert answer.status == 400, (url, answer.body)
        problem = answer.json()
        assert answer.headers["content-type"].startswith("application/problem+json")
        place = "" if "\0" in str(url) else "/url"  # a NUL is refused by the JSON parser already
        assert [e["pointer"] for e in problem["errors"]] == [place], (url, problem)
        assert problem["errors"][0]["detail"], url
    assert service.request("GET", "/v1/webhooks").json()["content"] == []
    assert service.request("POST", "/v1/webhooks", {"url": "https://example.com./hook"}).status == 201


def attempts_of(service, call):
    found = service.wait_for(f"/v1/deliveries?callId={call['id']}",
                             lambda page: page["content"] and page["content"][0]["attemptCount"] > 0)
    return service.request("GET", f"/v1/deliveries/{found['content'][0]['id']}").json()["attempts"]


def test_names_that_resolve_to_private_addresses(make_service, receiver, names):
    server = names({"private.test": ["127.0.0.1"], "two.test": ["10.0.0.7", "127.0.0.1"]})
    service = make_service("--allow-http", "--dns-server", server.address).start()
    for host in ("private.test", "two.test"):
        service.webhook(receiver.url(host), agentIds=["00000000-0000-4000-8000-%012d" % len(host)])
        call = some_call(agentId="00000000-0000-4000-8000-%012d" % len(host))
        assert service.put(call).status == 201
        attempt = attempts_of(service, call)[0]
        assert attempt["outcome"] == "address", attempt
        assert attempt["status"] is None
    assert receiver.got.empty()


def test_a_name_with_a_good_and_a_bad_address_uses_the_good_one(make_service, receiver, names):
    server = names({"mixed.test": ["10.255.255.1", "127.0.0.1"]})
    service = make_service("--dev", "--dns-server", server.address).start()
    service.webhook(receiver.url("mixed.test"))
    call = some_call()
    service.put(call)
    assert json.loads(receiver.next().body)["id"] == call["id"]
    service.wait_delivery(call["id"], "DELIVERED")
    assert attempts_of(service, call)[0]["address"] == "127.0.0.1"


@pytest.mark.threads
def test_a_silent_name_server_delays_no_other_webhook(make_service, receiver, names):
    server = names({"good.test": ["127.0.0.1"]})
    service = make_service("--dev", "--dns-server", server.address).start()
    service.webhook("http://silent.test/hook", timeout=60)
    service.webhook(receiver.url("good.test"))
    first = some_call()
    service.put(first)
    receiver.next()
    calls = [some_call() for _ in range(50)]
    for call in calls:
        service.put(call)
    assert {json.loads(receiver.next().body)["id"] for _ in calls} == {c["id"] for c in calls}
    asked = set()
    while not server.asked.empty():
        asked.add(server.asked.get())
    assert "silent.test" in asked
    waiting = service.request("GET", f"/v1/deliveries?callId={first['id']}").json()["content"]
    assert sorted(d["state"] for d in waiting) == ["DELIVERED", "DELIVERING"]
    service.process.kill()
    service.process.wait()
    service.process.stdout.close()
    service.process = None


def test_a_name_that_does_not_exist_is_a_dns_failure(make_service, names):
    server = names({"nothing.test": []})
    service = make_service("--dev", "--dns-server", server.address).start()
    service.webhook("http://nothing.test/hook")
    call = some_call()
    service.put(call)
    assert attempts_of(service, call)[0]["outcome"] == "dns"


def test_redirects_are_never_followed(service, make_receiver):
    target, front = make_receiver(), make_receiver()
    front.answers.put((302, {"Location": target.url()}, b""))
    service.webhook(front.url())
    call = some_call()
    service.put(call)
    front.next()
    attempt = attempts_of(service, call)[0]
    assert attempt["status"] == 302 and attempt["location"] == target.url()
    assert target.got.empty()


def test_proxies_of_the_environment_are_ignored(make_service, receiver):
    proxy = {"http_proxy": "http://127.0.0.1:9/", "HTTP_PROXY": "http://127.0.0.1:9/",
             "all_proxy": "http://127.0.0.1:9/"}
    service = make_service("--dev", env=proxy).start()
    service.webhook(receiver.url())
    service.put(some_call())
    receiver.next()
