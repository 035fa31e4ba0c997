"""A world that crashes: a service on a file, its clients, its receivers, and the audit of what is left."""
import hashlib
import hmac
import json
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time
import uuid

from audience import Audience
from e2e import BINARY, PATIENCE, Service
from load import WANTS, Client, Feeder, Promise

STATES = ["PENDING", "DELIVERING", "DELIVERED", "FAILED", "PARKED", "CANCELED"]
# Attempts under way, and what may come twice after a crash: those, and as many answers and ENGINE_RESULTS_MORE
# (delivery/engine_core.h) on their way into the store.
SLOTS = 128
IN_FLIGHT_MAX = SLOTS + SLOTS + 256
# What a delivery may have become between two crashes, when nobody resends. PENDING: anything.
MAY_BECOME = {
    "DELIVERED": {"DELIVERED"},
    "FAILED": {"FAILED"},
    "CANCELED": {"CANCELED"},
    "PARKED": {"PARKED", "CANCELED"},
}


def fsck(store):
    """(exit code, the JSON lines)."""
    ended = subprocess.run([BINARY, "fsck", "--json", "--store", store], capture_output=True, text=True,
                           timeout=PATIENCE)
    assert not ended.stderr, ended.stderr
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


class World:
    def __init__(self, folder, seed, schedule="1s,1s"):
        self.rng = random.Random(seed)
        self.service = Service(folder, "--dev", "--retry-schedule", schedule, "--max-in-flight", str(SLOTS))
        self.path = f"{folder}/callhook.db"
        self.audience = Audience(self.happened)
        self.news = threading.Condition()
        self.events = 0
        self.hooks = {}
        self.secrets = {}
        self.promises = {}
        self.fresh = []
        self.states = {}  # of each delivery at the last audit
        self.leaving = set()  # ids of accounts whose rows come to be canceled and go
        self.released = set()  # hooks whose parked deliveries were released since
        self.resent = set()  # deliveries for which another round was asked
        self.delivered = set()  # answered 2xx, ever
        self.was_stopped = False  # the last life ended as it should: nothing was in flight
        self.feeders = []

    # ---- life and death ----

    def begin(self, crash_at=None):
        self.service.env.pop("CALLHOOK_CRASH_AT", None)
        if crash_at:
            self.service.env["CALLHOOK_CRASH_AT"] = crash_at
        self.service.log = open(f"{self.service.folder}/serve.log", "ab")
        self.service.process = subprocess.Popen(self.service.command(), stdout=subprocess.PIPE,
                                                stderr=self.service.log, text=True,
                                                env=self.service.environment())
        return self.service.process

    def start(self, crash_at=None):
        """True: it is ready; False: it died on the way."""
        for line in self.begin(crash_at).stdout:
            ready = re.search(r"ready on http://127\.0\.0\.1:(\d+)", line)
            if ready:
                self.service.port = int(ready.group(1))
                return True
        return False

    def killed(self):
        """Waits for a death by SIGKILL, by our hand or at a crash point."""
        code = self.service.process.wait(timeout=PATIENCE)
        self.bury()
        self.was_stopped = False
        assert code == -signal.SIGKILL, f"it ended with {code}, not by the crash:\n{self.service.logged()[-3000:]}"

    def bury(self):
        self.service.process.stdout.close()
        self.service.log.close()
        self.service.process = None
        self.end_feeders()

    def kill(self):
        self.service.process.kill()
        self.killed()

    def kill_now(self):
        """It may have come to its end by itself, after a signal to stop."""
        self.service.process.kill()
        code = self.service.process.wait(timeout=PATIENCE)
        self.bury()
        self.was_stopped = code == 0
        assert code in (0, -signal.SIGKILL), f"it ended with {code}:\n{self.service.logged()[-3000:]}"

    def stop(self):
        self.service.stop()
        self.was_stopped = True
        self.end_feeders()

    def close(self):
        if self.service.process:
            self.service.process.kill()
            self.service.process.wait()
            self.bury()
        self.audience.close()

    # ---- clients ----

    def client(self, account=None):
        return Client(self.service.port, account)

    def make_hooks(self):
        """Once, on a service that is up: an endpoint of each kind; good is signed."""
        client = self.client()
        for hook, statuses in WANTS.items():
            self.make_hook(client, hook, self.audience.url(hook), statuses=statuses)
        status, body = client.ask("POST", f"/v1/webhooks/{self.hooks['good']}/secret")
        assert status == 201, body
        self.secrets["good"] = json.loads(body)["secret"]
        client.close()

    def make_hook(self, client, hook, url, **settings):
        status, body = client.ask("POST", "/v1/webhooks", {"url": url, "name": hook, **settings})
        assert status == 201, body
        self.hooks[hook] = json.loads(body)["id"]
        return self.hooks[hook]

    def feed(self, count=2):
        for i in range(count):
            self.feeders.append(Feeder(self, random.Random(self.rng.getrandbits(64)), i == 0))
            self.feeders[-1].start()

    def end_feeders(self):
        for feeder in self.feeders:
            feeder.must_end = True
        for feeder in self.feeders:
            feeder.join(PATIENCE)
            assert not feeder.is_alive()
        failures = [f.failure for f in self.feeders if f.failure]
        self.feeders = []
        if failures:
            raise failures[0]

    def happened(self):
        with self.news:
            self.events += 1
            self.news.notify_all()

    def wait_events(self, more):
        with self.news:
            goal = self.events + more
            assert self.news.wait_for(lambda: self.events >= goal, timeout=PATIENCE), "nothing happens any more"

    def promise(self, call, body, is_final=True):
        made = self.promises[call["id"]] = Promise(call, body)
        made.is_final = is_final
        self.fresh.append(made)
        self.happened()
        return made

    def promise_again(self, promise):
        promise.is_final = True
        self.fresh.append(promise)
        self.happened()

    # ---- the audit, on a store that nobody serves ----

    def audit(self, with_fsck=True):
        self.audience.settle()
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            rows = {str(uuid.UUID(bytes=r[0])): r[1:] for r in db.execute(
                "SELECT d.id, d.state, w.url, d.call, w.id FROM delivery d JOIN webhook w ON w.number = d.webhook "
                "JOIN account a ON a.number = w.account WHERE NOT EXISTS "
                "(SELECT 1 FROM json_each(?) WHERE value = a.id)", (json.dumps(sorted(self.leaving)),))}
            # A release goes on over crashes, until its webhook says that it is done.
            self.released |= {r[0] for r in db.execute("SELECT name FROM webhook WHERE sweep = 2")}
            self.audit_states(rows, self.audit_receipts(db, rows))
            self.audit_promises(db)
            self.released = {r[0] for r in db.execute("SELECT name FROM webhook WHERE sweep = 2")}
        finally:
            db.close()
        if with_fsck:
            code, lines = fsck(self.service.store)
            assert code == 0, lines

    def audit_receipts(self, db, rows):
        answered = set()
        for receipt in self.audience.take_fresh():
            assert receipt.id in rows, f"{receipt.id} was sent but never stored"
            _, url, seq, _ = rows[receipt.id]
            assert url.endswith("/" + receipt.hook)
            body, = db.execute("SELECT body FROM call_version WHERE seq = ?", (seq,)).fetchone()
            assert receipt.body == body, f"{receipt.id}: other bytes than those stored"
            before = self.states.get(receipt.id, "PENDING")
            may_come = before == "PENDING" or receipt.id in self.resent or \
                (before == "PARKED" and receipt.hook in self.released)
            assert may_come, f"{receipt.id} was {before} and came all the same"
            assert receipt.id not in answered or receipt.id in self.resent, \
                f"{receipt.id} came again after a 2xx, without a crash between"
            if receipt.hook in self.secrets:
                wanted = hmac.new(self.secrets[receipt.hook].encode(), body, hashlib.sha256).hexdigest()
                assert receipt.signature == wanted, f"{receipt.id}: the signature is wrong"
            if receipt.status == 200:
                answered.add(receipt.id)
        self.delivered |= answered
        return answered

    def audit_states(self, rows, answered):
        now = {key: STATES[row[0]] for key, row in rows.items()}
        names = {uuid.UUID(made).bytes: hook for hook, made in self.hooks.items()}
        for key, before in self.states.items():
            assert key in now, f"{key} is lost; it was {before}"
            was_released = before == "PARKED" and names.get(rows[key][3]) in self.released
            if before != "PENDING" and not was_released and key not in self.resent:
                assert now[key] in MAY_BECOME[before], f"{key} was {before} and became {now[key]}"
        for key, state in now.items():
            assert state != "DELIVERED" or key in self.delivered, f"{key} is DELIVERED and never came"
        # What was answered and not written down was in flight at the kill: that is what comes twice.
        unwritten = {k for k in answered if now[k] in ("PENDING", "PARKED", "CANCELED")} - self.resent
        most = 0 if self.was_stopped else IN_FLIGHT_MAX
        assert len(unwritten) <= most, f"{len(unwritten)} answers were not written down"
        self.states = now

    def audit_promises(self, db):
        fresh, self.fresh = self.fresh, []
        for promise in fresh:
            key = uuid.UUID(promise.call["id"]).bytes
            versions = [r[0] for r in db.execute(
                "SELECT body FROM call_version WHERE call_id = ? ORDER BY n", (key,))]
            assert versions, f"call {promise.call['id']} was acknowledged and is lost"
            if promise.body is not None:
                assert promise.body in versions if promise.in_doubt else promise.body == versions[-1]
            told = {r[0] for r in db.execute(
                "SELECT w.name FROM call_version v JOIN delivery d ON d.call = v.seq "
                "JOIN webhook w ON w.number = d.webhook WHERE v.call_id = ?", (key,))}
            wanted = {h for h in self.hooks if promise.is_final and promise.call["status"] in WANTS.get(h, [])}
            assert wanted <= told, f"call {promise.call['id']} has no delivery for {wanted - told}"

    # ---- the end ----

    def ledger(self, client):
        status, text = client.ask("GET", "/metrics")
        assert status == 200
        found = re.findall(r'^callhook_ledger_deliveries\{state="(\w+)"\} (\d+)$', text.decode(), re.M)
        ledger = {state: int(n) for state, n in found}
        ledger["accepted"] = int(re.search(r"^callhook_ledger_accepted(?:_deliveries)? (\d+)$", text.decode(),
                                           re.M).group(1))
        parts = sum(n for state, n in ledger.items() if state != "accepted")
        assert ledger["accepted"] == parts, ledger
        return ledger

    def wait_nothing_pending(self, client):
        until = time.monotonic() + PATIENCE
        while True:
            ledger = self.ledger(client)
            if ledger["pending"] == 0:
                return ledger
            assert time.monotonic() < until, f"still pending: {ledger}\n{self.service.logged()[-3000:]}"

    def finish(self):
        """Lets everything come to its end without a crash, and audits all that was ever promised."""
        self.audience.calm = True
        assert self.start(), self.service.logged()[-3000:]
        client = self.client()
        ledger = self.wait_nothing_pending(client)
        for call_id, promise in self.promises.items():
            status, body = client.ask("GET", f"/v1/calls/{call_id}")
            assert status == 200
            assert promise.body is None or promise.in_doubt or body == promise.body
        code, lines = fsck(self.service.store)
        assert code == 0 and lines[-1]["ledger"] == ledger, (lines, ledger)
        client.close()
        self.stop()
        self.audit()
        self.audience.calm = False
        return ledger
