"""DELETE /v1/calls/{id}: what was said is gone, also from the disk; what was done stays."""
import base64
import hashlib
import json
import os
import secrets
import subprocess

from conftest import BINARY, some_call


def erase(service, call):
    return service.request("DELETE", f"/v1/calls/{call['id']}").status


def files_with(service, marker):
    """Names of the database's files in which the marker can be found."""
    found = []
    for name in sorted(os.listdir(service.folder)):
        if name.startswith("callhook.db"):
            with open(os.path.join(service.folder, name), "rb") as file:
                if marker.encode() in file.read():
                    found.append(name)
    return found


def fsck(service):
    return subprocess.run([BINARY, "fsck", "--store", service.store], capture_output=True, text=True)


def test_nothing_of_an_erased_call_is_left_on_the_disk(service, receiver):
    service.webhook(receiver.url())
    told, corrected, answered, kept = (secrets.token_hex(16) for _ in range(4))
    receiver.answers.put((200, {}, (answered * 100).encode()))
    call = some_call(summary=told * 320)
    service.put(call)
    receiver.next()
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    service.put({**call, "summary": corrected * 640})
    other = some_call(summary=kept * 320)
    service.put(other)
    assert all(files_with(service, marker) for marker in (told, corrected, answered, kept))
    assert erase(service, call) == 204
    assert not any(files_with(service, marker) for marker in (told, corrected, answered))
    assert files_with(service, kept)
    shown = service.request("GET", f"/v1/deliveries/{which}").json()
    assert (shown["state"], shown["attempts"][0]["status"]) == ("DELIVERED", 200)
    assert not shown["attempts"][0]["answer"]
    service.stop()
    assert not any(files_with(service, marker) for marker in (told, corrected, answered))
    checked = fsck(service)
    assert checked.returncode == 0, checked.stdout
    service.start()
    assert service.request("GET", f"/v1/calls/{call['id']}").status == 410


def test_the_digest_of_what_was_sent_stays(service, receiver):
    service.webhook(receiver.url())
    call = some_call(summary="said")
    service.put(call)
    sent = receiver.next().body
    wanted = "sha-256=:" + base64.b64encode(hashlib.sha256(sent).digest()).decode() + ":"
    assert service.request("GET", f"/v1/calls/{call['id']}").headers["content-digest"] == wanted
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    assert service.request("GET", f"/v1/deliveries/{which}").json()["contentDigest"] == wanted
    service.put({**call, "summary": "corrected"})
    assert service.request("GET", f"/v1/deliveries/{which}").json()["contentDigest"] == wanted
    assert erase(service, call) == 204
    assert service.request("GET", f"/v1/deliveries/{which}").json()["contentDigest"] == wanted
    service.stop()
    checked = fsck(service)
    assert checked.returncode == 0, checked.stdout
    service.start()
    assert service.request("GET", f"/v1/deliveries/{which}").json()["contentDigest"] == wanted


def test_an_erased_call_does_not_come_back(service, receiver):
    service.webhook(receiver.url())
    call = some_call()
    service.put(call)
    receiver.next()
    which = service.wait_delivery(call["id"], "DELIVERED")["id"]
    assert erase(service, call) == 204
    assert service.request("GET", f"/v1/calls/{call['id']}").status == 410
    refused = service.request("PUT", f"/v1/calls/{call['id']}", call)
    assert (refused.status, refused.json()["detail"]) == (410, "the call was erased")
    resent = service.request("POST", f"/v1/deliveries/{which}/resend")
    assert (resent.status, resent.json()["detail"]) == (409, "the call was erased")
    assert erase(service, call) == 204
    assert erase(service, some_call()) == 404


def test_what_waits_to_be_sent_is_canceled_and_not_sent(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1s,1s").start()
    service.webhook(receiver.url())
    receiver.answers.put((500, {}, b"not now"))
    first, last = some_call(), some_call()
    service.put(first)
    receiver.next()
    assert erase(service, first) == 204
    canceled = service.wait_delivery(first["id"], "CANCELED")
    assert canceled["reason"] == "the call was erased"
    service.put(last)
    assert json.loads(receiver.next().body)["id"] == last["id"]
    service.wait_delivery(last["id"], "DELIVERED")
    assert receiver.got.empty()


def test_who_erased_a_call_is_in_the_log(service):
    call = some_call()
    service.put(call)
    assert erase(service, call) == 204
    entry = service.request("GET", "/v1/audit").json()["content"][0]
    assert (entry["action"], entry["objectId"]) == ("call.erase", call["id"])
