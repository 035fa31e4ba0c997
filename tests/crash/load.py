"""What clients do to a service that may die at any moment, and what it promised them."""
import http.client
import json
import threading
import uuid

from e2e import OPERATOR, PATIENCE

AGENT = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
# Which endpoints want which final states.
WANTS = {
    "good": ["COMPLETED", "FAILED", "REJECTED", "VOICE_BOX"],
    "flaky": ["COMPLETED"],
    "failing": ["FAILED"],
    "gone": ["REJECTED"],
    "slow": ["VOICE_BOX"],
    "toggled": ["FAILED", "VOICE_BOX"],
}
FINAL = ["COMPLETED", "COMPLETED", "FAILED", "REJECTED", "VOICE_BOX"]


class Died(Exception):
    """The service went away in the middle of a request."""


class Client:
    """One connection, kept. The operator acts for the default account, or another, without a rate limit."""

    def __init__(self, port, account=None):
        self.account = account
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def begin(self, method, path, body=None, kind="application/json"):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {OPERATOR}"}
        if self.account:
            headers["X-Account-Id"] = self.account
        if body is not None:
            headers["Content-Type"] = kind
        try:
            self.connection.request(method, path, body, headers)
            return self.connection.getresponse()
        except (OSError, http.client.HTTPException) as e:
            raise Died from e

    def ask(self, method, path, body=None, kind="application/json"):
        response = self.begin(method, path, body, kind)
        try:
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as e:
            raise Died from e

    def lines(self, path, body):
        """The answer's lines as they come; only whole ones count."""
        response = self.begin("POST", path, body, "application/x-ndjson")
        try:
            while True:
                line = response.readline()
                if not line.endswith(b"\n"):
                    return
                yield json.loads(line)
        except (OSError, http.client.HTTPException) as e:
            raise Died from e

    def close(self):
        self.connection.close()


class Promise:
    """A call that the service said it had."""

    def __init__(self, call, body):
        self.call = call
        self.body = body  # as it was answered; None: an import, which answers none
        self.in_doubt = False  # a change of it was sent and not answered


def some_call(rng, **changes):
    return {"id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "agentId": AGENT, "type": "INBOUND",
            "status": rng.choice(FINAL), "summary": "é" * rng.choice([0, 10, 900]), **changes}


class Feeder(threading.Thread):
    """One client. The first of a life is the customer's admin too."""

    def __init__(self, world, rng, is_admin):
        super().__init__(daemon=True)
        self.world, self.rng, self.is_admin = world, rng, is_admin
        self.own = []
        self.failure = None
        self.must_end = False

    def run(self):
        client = Client(self.world.service.port)
        try:
            while not self.must_end:
                self.act(client)
        except Died:
            pass
        except Exception as e:  # told by the test's thread
            self.failure = e
        finally:
            client.close()

    def act(self, client):
        acts = [self.put] * 12 + [self.put_live, self.correct, self.correct, self.bring_many, self.look]
        if self.is_admin:
            acts += [self.toggle, self.toggle, self.ungone, self.doom, self.secure, self.release]
        self.rng.choice(acts)(client)

    def send(self, client, call, query=""):
        status, body = client.ask("PUT", f"/v1/calls/{call['id']}{query}", call)
        assert status in (200, 201), (status, body)
        return body

    def put(self, client):
        call = some_call(self.rng)
        self.own.append(self.world.promise(call, self.send(client, call)))

    def put_live(self, client):
        call = some_call(self.rng)
        promise = self.world.promise(call, self.send(client, {**call, "status": "IN_PROGRESS"}), is_final=False)
        promise.in_doubt = True
        promise.body = self.send(client, call)
        promise.in_doubt = False
        self.world.promise_again(promise)

    def correct(self, client):
        if not self.own:
            return
        promise = self.rng.choice(self.own)
        promise.in_doubt = True
        changed = {**promise.call, "summary": f"corrected {self.rng.random()}"}
        promise.body = self.send(client, changed, self.rng.choice(["", "?notify=true"]))
        promise.in_doubt = False
        self.world.promise_again(promise)

    def bring_many(self, client):
        calls = {call["id"]: call for call in (some_call(self.rng) for _ in range(self.rng.randrange(5, 60)))}
        body = "\n".join(map(json.dumps, calls.values())).encode()
        for line in client.lines("/v1/calls/import", body):
            assert line["status"] == 201, line
            self.world.promise(calls[line["id"]], None)

    def look(self, client):
        if not self.own:
            return
        promise = self.rng.choice(self.own)
        status, body = client.ask("GET", f"/v1/calls/{promise.call['id']}")
        assert status == 200 and body == promise.body

    def patch(self, client, hook, change):
        status, body = client.ask("PATCH", f"/v1/webhooks/{self.world.hooks[hook]}", change,
                                  "application/merge-patch+json")
        assert status in (200, 409), (status, body)

    def toggle(self, client):
        self.patch(client, "toggled", {"enabled": self.rng.random() < 0.5})

    def release(self, client):
        self.world.released.add("toggled")
        status, body = client.ask("POST", f"/v1/webhooks/{self.world.hooks['toggled']}/enable",
                                  {"deliverParked": True})
        assert status in (200, 409), (status, body)

    def ungone(self, client):
        self.patch(client, "gone", {"enabled": True})

    def doom(self, client):
        """A webhook that comes and goes; whoever has news for it may lose it by the customer's own wish."""
        status, body = client.ask("POST", "/v1/webhooks", {"url": self.world.audience.url("doomed")})
        assert status == 201, body
        self.send(client, some_call(self.rng))
        status, body = client.ask("DELETE", "/v1/webhooks/" + json.loads(body)["id"])
        assert status == 204, body

    def secure(self, client):
        path = f"/v1/webhooks/{self.world.hooks['toggled']}/secret"
        status, body = client.ask("DELETE", path)
        assert status == 204, body
        status, body = client.ask("POST", path)
        assert status in (200, 201), body
