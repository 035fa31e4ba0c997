"""The main path: a finished call arrives at a receiver, signed, the same bytes that GET answers."""
import hashlib
import hmac
import base64
import json
import queue

import pytest

from conftest import some_call, seed_call, OPERATOR


def signature_hex(secret, body):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signature_standard(secret, webhook_id, timestamp, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


@pytest.mark.threads
def test_the_seed_call_arrives_signed(service, receiver):
    webhook, secret = service.webhook(receiver.url(), headers={"X-Tenant": "blue"})
    call = seed_call()

    answer = service.put(call)
    assert answer.status == 201
    got = receiver.next()

    assert got.path == "/hook"
    assert got.body == json.dumps(call, separators=(",", ":"), ensure_ascii=False).encode()
    assert got.body == answer.body == service.request("GET", f"/v1/calls/{call['id']}").body
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("callhook/")
    assert got.headers["x-tenant"] == "blue"
    assert "expect" not in got.headers and "accept-encoding" not in got.headers
    assert got.headers["x-webhook-signature"] == signature_hex(secret, got.body)
    assert got.headers["webhook-signature"] == signature_standard(
        secret, got.headers["webhook-id"], got.headers["webhook-timestamp"], got.body)

    delivery = service.wait_delivery(call["id"], "DELIVERED")
    assert delivery["id"] == got.headers["webhook-id"]
    assert delivery["webhookId"] == webhook
    detail = service.request("GET", f"/v1/deliveries/{delivery['id']}").json()
    attempt, = detail["attempts"]
    assert attempt["outcome"] == "answered" and attempt["status"] == 200
    assert attempt["address"] == "127.0.0.1"
    assert attempt["answer"] == "ok"
    sent = {h["name"].lower(): h["value"] for h in attempt["requestHeaders"]}
    assert sent["x-webhook-signature"] == got.headers["x-webhook-signature"]
    assert sent["x-tenant"] == "***"


def test_etag_and_digest_belong_to_the_body(service):
    call = seed_call()
    put = service.put(call)
    get = service.request("GET", f"/v1/calls/{call['id']}")
    digest = hashlib.sha256(get.body).digest()
    assert put.headers["etag"] == get.headers["etag"] == f'"{digest.hex()[:32]}"'
    assert get.headers["content-digest"] == "sha-256=:" + base64.b64encode(digest).decode() + ":"


def test_identical_and_corrected_records_make_no_second_webhook(service, receiver):
    service.webhook(receiver.url())
    call = some_call(summary="first")
    assert service.put(call).status == 201
    first = receiver.next()
    assert service.put(call).status == 200
    call["summary"] = "corrected"
    assert service.put(call).status == 200
    assert service.put({**call, "summary": "told"}, "?notify=true").status == 200
    second = receiver.next()
    assert json.loads(first.body)["summary"] == "first"
    assert json.loads(second.body)["summary"] == "told"
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    with pytest.raises(queue.Empty):
        receiver.got.get_nowait()
    listed = service.request("GET", f"/v1/deliveries?callId={call['id']}").json()
    assert len(listed["content"]) == 2


def test_statuses_and_agents_choose(service, make_receiver):
    chosen, other = make_receiver(), make_receiver()
    agent = "11111111-2222-4333-8444-555555555555"
    service.webhook(chosen.url(), statuses=["REJECTED"], agentIds=[agent])
    service.webhook(other.url())
    service.put(some_call(status="REJECTED"))
    wanted = some_call(status="REJECTED", agentId=agent)
    service.put(wanted)
    assert json.loads(chosen.next().body)["id"] == wanted["id"]
    plain = some_call(status="FAILED", agentId=agent)
    service.put(plain)
    assert json.loads(other.next().body)["id"] == plain["id"]
    assert chosen.got.empty() and other.got.empty()


def test_a_live_call_waits_until_it_is_final(service, receiver):
    service.webhook(receiver.url())
    call = some_call(status="IN_PROGRESS")
    assert service.put(call).status == 201
    call["status"] = "COMPLETED"
    assert service.put(call).status == 200
    assert json.loads(receiver.next().body)["status"] == "COMPLETED"
    refused = service.put({**call, "status": "IN_PROGRESS"})
    assert refused.status == 409
    assert refused.headers["content-type"].startswith("application/problem+json")


@pytest.mark.threads
def test_an_import_delivers_every_finished_call(service, receiver):
    service.webhook(receiver.url(), concurrency=8)
    calls = [some_call(summary=f"n {i} é") for i in range(500)]
    lines = [json.dumps(c) for c in calls]
    lines.insert(3, '{"id": 7}')
    lines.insert(5, "not json")
    answer = service.request("POST", "/v1/calls/import", "\n".join(lines).encode(),
                             {"Content-Type": "application/x-ndjson"})
    assert answer.status == 200
    rows = [json.loads(line) for line in answer.body.decode().splitlines()]
    assert [r["line"] for r in rows] == list(range(1, 503))
    assert [r["line"] for r in rows if r["status"] != 201] == [4, 6]
    got = {json.loads(receiver.next().body)["id"] for _ in calls}
    assert got == {c["id"] for c in calls}


def test_a_failed_attempt_is_tried_again_with_the_same_id(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1s,1s").start()
    service.webhook(receiver.url())
    receiver.answers.put((500, {}, b"broken"))
    call = some_call()
    service.put(call)
    first, second = receiver.next(), receiver.next()
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    delivery = service.wait_delivery(call["id"], "DELIVERED")
    detail = service.request("GET", f"/v1/deliveries/{delivery['id']}").json()
    assert [a["status"] for a in detail["attempts"]] == [500, 200]


def test_after_the_last_try_the_delivery_is_failed_and_kept(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1s").start()
    service.webhook(receiver.url())
    for _ in range(2):
        receiver.answers.put((404, {}, b""))
    call = some_call()
    service.put(call)
    delivery = service.wait_delivery(call["id"], "FAILED")
    assert delivery["tries"] == 2
    metrics = service.request("GET", "/metrics").body.decode()
    assert 'callhook_ledger_deliveries{state="failed"} 1' in metrics


def test_410_switches_the_webhook_off_and_parks(service, receiver):
    webhook, _ = service.webhook(receiver.url())
    receiver.answers.put((410, {}, b""))
    call = some_call()
    service.put(call)
    receiver.next()
    service.wait_delivery(call["id"], "PARKED")
    shown = service.wait_for(f"/v1/webhooks/{webhook}", lambda w: not w["enabled"])
    assert shown["state"] == "DISABLED" and "410" in shown["reason"]
    later = some_call()
    service.put(later)
    service.wait_delivery(later["id"], "PARKED")
    assert receiver.got.empty()


def test_the_operator_acts_for_an_account(service):
    bearer = {"Authorization": f"Bearer {OPERATOR}"}
    call = some_call()
    assert service.put(call, key=None, headers=bearer).status == 201
    assert service.request("GET", f"/v1/calls/{call['id']}").status == 200
    assert service.request("GET", f"/v1/calls/{call['id']}", key=None).status == 401
    unknown = service.request("GET", f"/v1/calls/{call['id']}", key=None,
                              headers={**bearer, "X-Account-Id": "nobody"})
    assert unknown.status == 404


def test_a_secret_is_generated_once_and_can_be_disabled(service, receiver):
    webhook, secret = service.webhook(receiver.url())
    assert secret.startswith("whsec_") and len(base64.b64decode(secret[6:])) == 32
    assert service.request("POST", f"/v1/webhooks/{webhook}/secret").status == 409
    shown = service.request("GET", f"/v1/webhooks/{webhook}")
    assert shown.json()["secured"] is True and secret.encode() not in shown.body
    assert service.request("DELETE", f"/v1/webhooks/{webhook}/secret").status == 204
    service.put(some_call())
    got = receiver.next()
    assert "x-webhook-signature" not in got.headers and "webhook-signature" not in got.headers
    assert "webhook-id" in got.headers
