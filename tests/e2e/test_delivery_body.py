"""GET /v1/deliveries/{id}/body: what was sent stays what is shown, whatever has become of the call since."""
from conftest import some_call


def test_it_is_what_the_receiver_got_also_after_a_correction(service, receiver):
    service.webhook(receiver.url())
    call = some_call(summary="as it was said")
    service.put(call)
    got = receiver.next()
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    service.put({**call, "summary": "corrected"})
    shown = service.request("GET", f"/v1/deliveries/{which}/body")
    assert shown.status == 200 and shown.body == got.body
    latest = service.request("GET", f"/v1/calls/{call['id']}")
    assert latest.body != shown.body and latest.headers["etag"] != shown.headers["etag"]
    again = service.request("GET", f"/v1/deliveries/{which}/body", headers={"If-None-Match": shown.headers["etag"]})
    assert again.status == 304 and again.body == b""


def test_it_needs_the_right_to_read_calls(service, receiver):
    service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    for scope, status in (("integrations:read", 403), ("calls:read", 200)):
        token = service.request("POST", "/v1/auth/token", {"scope": [scope]}).json()["token"]
        answer = service.request("GET", f"/v1/deliveries/{which}/body", headers={"Authorization": f"Bearer {token}"},
                                 key=None)
        assert answer.status == status, scope


def test_of_an_erased_call_nothing_is_shown(service, receiver):
    service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    assert service.request("DELETE", f"/v1/calls/{call['id']}").status == 204
    assert service.request("GET", f"/v1/deliveries/{which}/body").status == 410
