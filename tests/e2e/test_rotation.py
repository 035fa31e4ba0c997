"""A secret is replaced while deliveries go on: both sign until the overlap is over."""
import base64
import hashlib
import hmac

from conftest import some_call


def plain(secret, got):
    return hmac.new(secret.encode(), got.body, hashlib.sha256).hexdigest()


def standard(secret, got):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def rotate(service, hook, **settings):
    answer = service.request("POST", f"/v1/webhooks/{hook}/secret/rotate", settings)
    assert answer.status == 201, answer.body
    return answer.json()


def send(service, receiver):
    """One call, delivered and recorded: a crash after it sends nothing twice."""
    call = some_call()
    assert service.put(call).status == 201
    got = receiver.next()
    service.wait_delivery(call["id"], "DELIVERED")
    return got


def assert_both(got, old, new):
    assert got.headers["x-webhook-signature"] == plain(old, got)
    assert got.headers["x-webhook-signature-next"] == plain(new, got)
    assert got.headers["webhook-signature"] == f"{standard(old, got)} {standard(new, got)}"


def assert_only(got, secret):
    assert got.headers["x-webhook-signature"] == plain(secret, got)
    assert got.headers["webhook-signature"] == standard(secret, got)
    assert "x-webhook-signature-next" not in got.headers


def test_both_sign_in_the_overlap_and_a_restart_changes_nothing(service, receiver):
    hook, old = service.webhook(receiver.url())
    assert_only(send(service, receiver), old)
    made = rotate(service, hook)
    assert made["rotation"]["started"] < made["rotation"]["ends"]
    assert_both(send(service, receiver), old, made["secret"])
    service.kill()
    service.start()
    assert_both(send(service, receiver), old, made["secret"])
    finished = service.request("POST", f"/v1/webhooks/{hook}/secret/rotate/finish")
    assert finished.status == 200 and finished.json()["rotation"] is None and finished.json()["secured"]
    assert_only(send(service, receiver), made["secret"])


def test_the_overlap_ends_by_the_clock(service, receiver):
    hook, _ = service.webhook(receiver.url())
    made = rotate(service, hook, overlap=1)
    service.wait_for(f"/v1/webhooks/{hook}", lambda w: w["rotation"] is None)
    assert_only(send(service, receiver), made["secret"])
    service.kill()
    service.start()
    assert_only(send(service, receiver), made["secret"])


def test_cancel_and_replacing_at_once(service, receiver):
    hook, old = service.webhook(receiver.url())
    rotate(service, hook)
    assert service.request("POST", f"/v1/webhooks/{hook}/secret/rotate/cancel").status == 200
    assert_only(send(service, receiver), old)
    made = rotate(service, hook, overlap=0)
    assert made["rotation"] is None
    assert_only(send(service, receiver), made["secret"])
