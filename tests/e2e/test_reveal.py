"""A secret can be shown again; the log says that it was, and nothing else does."""


def test_a_reveal_shows_both_and_the_log_says_so(make_service, receiver):
    service = make_service("--dev", "--log-level", "debug").start()
    hook, old = service.webhook(receiver.url())
    path = f"/v1/webhooks/{hook}/secret"
    brought = "brought-along-by-hand-42"
    made = service.request("POST", f"{path}/rotate", {"overlap": 604800, "secret": brought})
    assert made.status == 201 and made.json()["secret"] == brought
    shown = service.request("POST", f"{path}/reveal")
    assert shown.status == 200 and shown.headers["cache-control"] == "no-store"
    assert (shown.json()["secret"], shown.json()["next"]) == (old, brought)
    assert service.request("DELETE", path).status == 204
    assert service.request("POST", f"{path}/reveal").status == 409
    service.stop()
    log = service.logged()
    assert log.count("secret_revealed") == 1 and hook in log
    assert old not in log and brought not in log
