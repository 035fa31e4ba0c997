"""Dies at each named crash point (src/base/crash_point.h), comes back, and has lost nothing."""
import hashlib
import json
import os
import random
import re
import signal
import socket
import sqlite3
import uuid
from contextlib import closing

import pytest

from aging import age, counts
from bed import fsck
from e2e import API_KEY, ROOT, Receiver
from load import AGENT, Died, some_call

OPENING = ["open_locked", "open_file_made", "open_connected", "migrate_begun", "migrate_changed", "migrate_marked",
           "migrate_committed", "open_migrated", "open_loaded"]
FIRST_START = ["key_file_opened", "key_file_written", "key_file_made", "account_shown", "account_made"]
LATER_START = ["open_locked", "open_file_made", "open_connected", "open_migrated", "open_loaded", "sweeps_resumed",
               "survey_asked", "survey_applied", "claim_asked", "claim_taken"]
# Reached by clients and receivers; the second is the passing after which the crash comes.
UNDER_LOAD = [("commit_half", 40), ("commit_before", 30), ("commit_after", 30), ("news_given", 30),
              ("import_slice", 3), ("secret_sealed", 1), ("secret_stored", 1), ("send_before", 20),
              ("send_after", 20), ("answer_taken", 20), ("result_before", 20), ("result_written", 20),
              ("gone_noted", 1)]
BUILD = ["build_inside", "build_step"]
CHECKPOINT = ["checkpoint_before", "checkpoint_after"]
SWEEPS = [("sweep_inside", 1), ("sweep_between", 1), ("sweep_inside", 2), ("sweep_between", 2),
          ("sweep_inside", 3), ("sweep_finished", 1)]
# Passings of account_closed, and of what follows: three chunks of cancels, then some of removals.
ACCOUNTS = [("account_closed", 1), ("sweep_inside", 2), ("purge_inside", 1), ("sweep_between", 4), ("purge_inside", 2),
            ("purge_finished", 1)]
ERASES = [("erase_inside", 200), ("erase_committed", 410)]  # and what the call is after
EVENTS = [("event_inside", 1), ("event_inside", 2)]
REPLAYS = [("replay_inside", 1), ("replay_between", 1), ("replay_inside", 2), ("replay_between", 2)]
# With the age in days: deliveries of three webhooks go with their calls, or the attempts alone.
RETENTION = [("retention_inside", 2, 91), ("retention_inside", 30, 91), ("retention_inside", 64, 91),
             ("retention_between", 2, 91), ("retention_between", 3, 91), ("retention_inside", 64, 31),
             ("retention_between", 3, 31)]
FIRST_SHAPE_BODY = (
    '{"id":"%s","agentId":"' + AGENT + '","phone":null,"type":"INBOUND","duration":null,"startTime":null,'
    '"endTime":null,"anonymous":false,"status":"COMPLETED","extractors":[],"extractorData":{},"classifiers":[],'
    '"classifierData":{},"context":{},"recorded":false,"summary":null,"created":"2023-11-14T22:13:20Z"}')
BACKLOG = 120  # calls; a lane holds 64 deliveries, so the rest has to be claimed
STOP = ["stop_asked", "stop_drained", "stop_workers_stopped", "stop_store_idle", "stop_store_closed"]


def names_in_header():
    with open(os.path.join(ROOT, "src/base/crash_point.h"), encoding="utf-8") as header:
        return set(re.findall(r"\bX\((\w+)\)", header.read()))


def test_every_point_of_the_list_is_crashed_at():
    used = {*OPENING, *BUILD, *FIRST_START, *LATER_START, *CHECKPOINT, *STOP}
    used |= {name for name, _ in UNDER_LOAD + SWEEPS + ACCOUNTS + EVENTS + REPLAYS + ERASES}
    used |= {name for name, _, _ in RETENTION}
    assert used == names_in_header()


def die(world):
    """Feeds a running world until it dies at the point; the audit follows."""
    world.feed()
    world.killed()
    world.audit()


@pytest.mark.parametrize("point", OPENING + FIRST_START)
def test_a_crash_in_the_first_start_leaves_a_store_that_starts(make_world, point):
    world = make_world()
    assert not world.start(point), "it started, and should have died"
    world.killed()
    assert world.start(), world.service.logged()[-3000:]
    world.make_hooks()
    bring(world, 20, status="VOICE_BOX")
    world.kill()
    world.audit()
    assert world.finish()["delivered"] == 60
    assert not os.path.exists(f"{world.path}.key.new")


def test_crashes_in_later_starts_lose_nothing_of_the_backlog(make_world):
    world = make_world()
    world.start()
    world.make_hooks()
    for point in LATER_START:
        bring(world, BACKLOG, status="VOICE_BOX")
        world.kill()
        world.audit()
        if world.start(point):
            world.feed()
        world.killed()
        world.audit()
        assert world.start(), world.service.logged()[-3000:]
    world.kill()
    world.audit()
    assert world.finish()["delivered"] >= BACKLOG * len(LATER_START)


def make_first_shape(world, count):
    """A store as the first version left it, with so many calls and their deliveries, all PENDING."""
    with open(os.path.join(ROOT, "src/store/sql/0001_start.sql"), encoding="utf-8") as sql:
        script = sql.read()
    db = sqlite3.connect(world.path)
    db.executescript(script + ";PRAGMA journal_mode = WAL; PRAGMA user_version = 1; PRAGMA application_id = 0x63686f6b")
    db.execute("INSERT INTO account VALUES (1, 'default', ?, ?, 1)",
               [hashlib.sha256(key).digest() for key in (API_KEY.encode(), b"another")])
    db.execute("INSERT INTO webhook VALUES (1, ?, 1, 1, ?, 'old', 1, NULL, '{}', NULL, 1, 0, 0)",
               (uuid.uuid4().bytes, world.audience.url("old")))
    db.execute("INSERT INTO ledger VALUES (1, ?, ?, 0, 0, 0, 0)", (count, count))
    for i in range(count):
        at_ms = 1_700_000_000_000 + i
        body = FIRST_SHAPE_BODY % uuid.UUID(int=i)
        key = at_ms << 12
        made = at_ms.to_bytes(6, "big") + b"\x70\x00" + uuid.uuid4().bytes[8:]
        db.execute("INSERT INTO call_version VALUES (?, 1, ?, 1, 2, ?, ?, ?, ?, ?)",
                   (i + 1, uuid.UUID(int=i).bytes, uuid.UUID(AGENT).bytes, at_ms, key, key, body.encode()))
        db.execute("INSERT INTO delivery VALUES (1, ?, ?, ?, 0, 0, 0, 0, ?, ?, NULL)",
                   (key, made, i + 1, at_ms, at_ms))
    db.commit()
    db.close()


@pytest.mark.parametrize("point", ["migrate_begun", "migrate_changed", "migrate_marked", "migrate_committed"])
def test_a_crash_in_a_migration_keeps_what_an_older_version_stored(make_world, point):
    world = make_world()
    make_first_shape(world, 200)
    steps = len(os.listdir(os.path.join(ROOT, "src/store/sql"))) - 1
    assert not world.start(f"{point}:{steps}")
    world.killed()
    world.audit(with_fsck=False)  # a version in between: nothing that fsck would judge
    assert world.start(), world.service.logged()[-3000:]
    world.kill()
    world.audit()
    assert world.finish()["delivered"] == 200


@pytest.mark.parametrize("point", BUILD)
def test_a_crash_while_lists_are_made_makes_them_at_the_next_start(make_world, point):
    world = make_world()
    make_first_shape(world, 200)
    assert not world.start(point)
    world.killed()
    world.audit()
    assert world.start(), world.service.logged()[-3000:]
    client = world.client()
    status, page = client.ask("GET", "/v1/calls?size=7")
    client.close()
    assert (status, json.loads(page)["totalElements"], len(json.loads(page)["content"])) == (200, 200, 7)
    world.kill()
    world.audit()


def bring(world, count, **changes):
    """An import of so many calls; the promises are kept even when the service dies on the way."""
    client = world.client()
    calls = {c["id"]: c for c in (some_call(world.rng, **changes) for _ in range(count))}
    try:
        for line in client.lines("/v1/calls/import", "\n".join(map(json.dumps, calls.values())).encode()):
            assert line["status"] == 201, line
            world.promise(calls[line["id"]], None)
    except Died:
        pass
    finally:
        client.close()


def test_crashes_under_load_lose_nothing(make_world):
    world = make_world()
    world.start()
    world.make_hooks()
    world.stop()
    for name, passing in UNDER_LOAD:
        assert world.start(f"{name}:{passing}")
        die(world)
    ledger = world.finish()
    assert ledger["delivered"] > 0 and ledger["parked"] > 0


@pytest.mark.parametrize("point", CHECKPOINT)
def test_a_crash_beside_a_checkpoint_loses_nothing(make_world, point):
    world = make_world()
    assert world.start(point)
    world.make_hooks()
    bring(world, 50, status="COMPLETED")
    bring(world, 800, status="NO_ANSWER", summary="x" * 4000)
    world.killed()
    world.audit()
    assert world.finish()["delivered"] >= 100


def refused_url():
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return "http://127.0.0.1:%d/bulk" % taken.getsockname()[1]


def settle_sweeps(world):
    """After a crash the sweep goes on by itself: until the store says so, nothing else is asked of it."""
    db = sqlite3.connect(f"file:{world.path}?mode=ro", uri=True)
    while db.execute("SELECT count(*) FROM webhook WHERE sweep <> 0").fetchone()[0]:
        assert world.service.process.poll() is None
    db.close()


def states_of(world, hook):
    db = sqlite3.connect(f"file:{world.path}?mode=ro", uri=True)
    found = dict(db.execute("SELECT state, count(*) FROM delivery d JOIN webhook w ON w.number = d.webhook "
                            "WHERE w.name = ? GROUP BY state", (hook,)))
    db.close()
    return found


def bulk(world, count):
    """A webhook with that many deliveries which can't be delivered for now."""
    client = world.client()
    made = world.make_hook(client, "bulk", refused_url(), statuses=["UNREACHABLE"])
    client.close()
    bring(world, count, status="UNREACHABLE")
    return made


def switch(world, made, how):
    """The answer may not come any more: the first chunk may be quicker. The switch is stored then."""
    client = world.client()
    try:
        if how == "park":
            client.ask("POST", f"/v1/webhooks/{made}/disable")
        elif how == "cancel":
            client.ask("DELETE", f"/v1/webhooks/{made}")
        else:
            world.released.add("bulk")
            client.ask("POST", f"/v1/webhooks/{made}/enable", {"deliverParked": True})
    except Died:
        pass
    finally:
        client.close()


@pytest.mark.parametrize("how", ["park", "cancel"])
@pytest.mark.parametrize("name,passing", SWEEPS)
def test_a_crash_while_rows_follow_the_switch_in_chunks(make_world, how, name, passing):
    world = make_world(schedule="1h,1h")
    assert world.start(f"{name}:{passing}")
    switch(world, bulk(world, 1200), how)
    world.killed()
    world.audit()
    assert world.start()
    settle_sweeps(world)
    world.kill()
    world.audit()
    assert states_of(world, "bulk") == ({4: 1200} if how == "park" else {5: 1200})


@pytest.mark.threads
@pytest.mark.parametrize("name,passing", SWEEPS[2:4] + SWEEPS[5:])
def test_a_crash_while_parked_rows_are_released_in_chunks(make_world, name, passing):
    world = make_world()
    assert world.start()
    client = world.client()
    made = world.make_hook(client, "bulk", world.audience.url("bulk"), statuses=["UNREACHABLE"], enabled=False)
    client.close()
    bring(world, 1200, status="UNREACHABLE")
    world.stop()
    world.audit()
    assert states_of(world, "bulk") == {4: 1200}
    assert world.start(f"{name}:{passing}")
    switch(world, made, "release")
    world.killed()
    world.audit()
    assert world.start()
    settle_sweeps(world)
    world.kill()
    world.audit()
    assert world.finish()["delivered"] == 1200
    assert states_of(world, "bulk") == {2: 1200}


def make_account(world, count):
    """With that many calls, and as many deliveries that can't be delivered for now."""
    operator = world.client()
    status, body = operator.ask("POST", "/v1/accounts", {"id": "leaving"})
    assert status == 201, body
    operator.close()
    world.leaving.add("leaving")
    client = world.client("leaving")
    status, body = client.ask("POST", "/v1/webhooks", {"url": refused_url(), "statuses": ["UNREACHABLE"]})
    assert status == 201, body
    calls = [some_call(world.rng, status="UNREACHABLE") for _ in range(count)]
    for line in client.lines("/v1/calls/import", "\n".join(map(json.dumps, calls)).encode()):
        assert line["status"] == 201, line
    client.close()


def rows_of(world, account):
    db = sqlite3.connect(f"file:{world.path}?mode=ro", uri=True)
    counts = [db.execute(f"SELECT count(*) FROM {what} WHERE account = ?", (account,)).fetchone()[0]
              for what in ("call_version", "delivery d JOIN webhook w ON w.number = d.webhook", "audit")]
    state = db.execute("SELECT state FROM account WHERE number = ?", (account,)).fetchone()[0]
    db.close()
    return state, counts


def tables_with_rows_of(world, account):
    """Of all that name an account: a table that is new has to be thought of when an account goes."""
    db = sqlite3.connect(f"file:{world.path}?mode=ro", uri=True)
    tables = [row[0] for row in db.execute("SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c "
                                           "WHERE m.type = 'table' AND c.name = 'account'")]
    assert {"webhook", "call_version", "audit"} <= set(tables)
    found = {t for t in tables if db.execute(f"SELECT 1 FROM {t} WHERE account = ? LIMIT 1", (account,)).fetchone()}
    db.close()
    return found


@pytest.mark.parametrize("name,passing", ACCOUNTS)
def test_a_crash_while_an_account_goes_removes_all_of_it_and_nothing_else(make_world, name, passing):
    world = make_world(schedule="1h,1h")
    assert world.start(f"{name}:{passing}")
    world.make_hooks()
    bring(world, 30, status="VOICE_BOX")
    world.wait_nothing_pending(world.client())
    make_account(world, 1200)
    client = world.client()
    status = None
    try:
        status, _ = client.ask("DELETE", "/v1/accounts/leaving")
        assert status == 204
    except Died:
        pass
    client.close()
    world.killed()
    world.audit()
    assert world.start()
    if name == "account_closed":
        # Not stored, so not answered: it is still there, whole.
        assert status is None and rows_of(world, 2) == (0, [1200, 1200, 1])
        client = world.client()
        assert client.ask("DELETE", "/v1/accounts/leaving")[0] == 204
        client.close()
    while rows_of(world, 2)[0] != 2:
        assert world.service.process.poll() is None
    assert rows_of(world, 2) == (2, [0, 0, 0])
    assert tables_with_rows_of(world, 2) == {"webhook"}  # which keeps the counts
    world.kill()
    world.audit()
    ledger = world.finish()
    assert (ledger["delivered"], ledger["canceled"]) == (90, 1200)


def deliveries_of_calls(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = {row[0] for row in db.execute("SELECT (SELECT count(*) FROM delivery d WHERE d.call = c.seq) "
                                          "FROM call_version c")}
    db.close()
    return found


@pytest.mark.parametrize("name,passing,days", RETENTION)
def test_a_crash_in_retention_leaves_each_call_whole_or_gone(make_world, name, passing, days):
    world = make_world()
    assert world.start()
    world.make_hooks()
    bring(world, 60, status="VOICE_BOX")
    world.wait_nothing_pending(world.client())
    world.stop()
    world.audit()
    age(world.path, days)
    world.start(f"{name}:{passing}")
    world.killed()
    assert deliveries_of_calls(world.path) <= {3}
    code, lines = fsck(world.service.store)
    assert code == 0, lines
    assert world.start()
    while counts(world.path) != ((0, 0, 0) if days > 90 else (60, 180, 0)):
        assert world.service.process.poll() is None
    world.stop()
    code, lines = fsck(world.service.store)
    assert code == 0, lines
    ledger = lines[-1]["ledger"]
    assert (ledger["accepted"], ledger["delivered"]) == (180, 180)


@pytest.mark.parametrize("name,passing", REPLAYS)
def test_a_crash_in_a_replay_neither_skips_nor_opens_twice(make_world, name, passing):
    world = make_world()
    assert world.start()
    bring(world, 600, status="UNREACHABLE")
    world.stop()
    world.audit()
    assert world.start(f"{name}:{passing}")
    client = world.client()
    made = world.make_hook(client, "bulk", world.audience.url("bulk"), statuses=["UNREACHABLE"])
    try:
        client.ask("POST", f"/v1/webhooks/{made}/replay", {"from": "2020-01-01T00:00:00Z", "missing": True})
    except Died:
        pass
    client.close()
    world.killed()
    world.audit()
    assert world.finish()["delivered"] == 600
    db = sqlite3.connect(world.path)
    assert db.execute("SELECT state, made FROM replay").fetchall() == [(1, 600)]
    db.close()
    assert states_of(world, "bulk") == {2: 600}


@pytest.mark.parametrize("point", ["commit_before", "commit_after", "news_given", "send_after", "answer_taken"])
def test_a_crash_at_a_resend(make_world, point):
    """Stored: it is sent, once more. Not stored: it was not answered either."""
    world = make_world()
    assert world.start()
    world.make_hooks()
    bring(world, 5, status="VOICE_BOX")
    world.wait_nothing_pending(world.client())
    world.stop()
    world.audit()
    chosen = sorted(world.delivered)[0]
    assert world.start(point)
    world.resent.add(chosen)
    client = world.client()
    status = None
    try:
        status, _ = client.ask("POST", f"/v1/deliveries/{chosen}/resend")
        assert status in (200, 202)
    except Died:
        pass
    world.killed()
    world.audit()
    is_stored = world.states[chosen] == "PENDING"
    assert is_stored or (point == "commit_before" and status is None)
    assert world.finish()["delivered"] == 15
    assert world.states[chosen] == "DELIVERED"


@pytest.mark.parametrize("point", STOP)
def test_a_crash_while_stopping_loses_nothing(make_world, point):
    world = make_world()
    assert world.start(point)
    world.make_hooks()
    world.feed()
    world.wait_events(60)
    world.service.process.send_signal(signal.SIGTERM)
    world.killed()
    world.audit()
    assert world.finish()["delivered"] > 0


@pytest.mark.parametrize("point,is_secured", [("secret_sealed", False), ("secret_stored", True)])
def test_a_crash_while_a_secret_is_made(make_world, point, is_secured):
    """Not stored: there is none. Stored and not told: it can be dropped and made again."""
    world = make_world()
    world.start(f"{point}:2")
    world.make_hooks()
    client = world.client()
    path = "/v1/webhooks/" + world.hooks["toggled"]
    with pytest.raises(Died):
        client.ask("POST", path + "/secret")
    world.killed()
    world.audit()
    assert world.start()
    client = world.client()
    assert json.loads(client.ask("GET", path)[1])["secured"] is is_secured
    assert client.ask("DELETE", path + "/secret")[0] == 204
    status, body = client.ask("POST", path + "/secret")
    assert status == 201
    world.secrets["toggled"] = json.loads(body)["secret"]
    bring(world, 20, status="VOICE_BOX")
    client.close()
    world.stop()
    world.audit()
    assert world.finish()["delivered"] == 60


def files_with(world, marker):
    found = []
    for end in ("", "-wal", "-shm"):
        if os.path.exists(world.path + end):
            with open(world.path + end, "rb") as file:
                if marker.encode() in file.read():
                    found.append(end)
    return found


@pytest.mark.parametrize("point, after", ERASES)
def test_a_crash_while_a_call_is_erased_leaves_it_whole_or_gone(make_world, point, after):
    world = make_world()
    assert world.start(point)
    marker = f"{world.rng.getrandbits(128):032x}"
    call = some_call(world.rng, summary=marker * 320)
    path = f"/v1/calls/{call['id']}"
    client = world.client()
    assert client.ask("PUT", path, call)[0] == 201
    with pytest.raises(Died):
        client.ask("DELETE", path)
    client.close()
    world.killed()
    world.audit()
    assert files_with(world, marker)
    assert world.start(), world.service.logged()[-3000:]
    client = world.client()
    assert client.ask("GET", path)[0] == after
    assert bool(files_with(world, marker)) == (after == 200)
    assert client.ask("DELETE", path)[0] == 204
    client.close()
    assert not files_with(world, marker)


@pytest.mark.parametrize("name,passing", EVENTS)
def test_a_crash_inside_an_event_leaves_neither_cause_nor_event(make_world, name, passing):
    """Then both come, once: the receivers of the account and of the operator stand in one transaction with it."""
    world, own, operators = make_world(), Receiver(), Receiver()
    world.service.options += ("--events-url", operators.url(), "--events-secret", "the-secret-of-all-events")
    assert world.start(f"{name}:{passing}")
    assert world.service.request("PATCH", "/v1/account", {"eventsUrl": own.url()}).status == 200
    hook, _ = world.service.webhook(world.audience.url("gone"))
    call = some_call(random.Random(1), status="COMPLETED")
    world.service.put(call)
    world.killed()
    assert own.got.empty() and operators.got.empty()
    assert fsck(world.service.store)[0] == 0
    with closing(sqlite3.connect(world.path)) as db:
        assert db.execute("SELECT enabled FROM webhook WHERE account = 1").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM call_version WHERE account <= 0").fetchone() == (0,)
    assert world.start()
    told = [json.loads(receiver.next().body) for receiver in (own, operators)]
    assert told[0] == told[1] and told[0]["data"]["webhookId"] == hook
    assert not world.service.request("GET", f"/v1/webhooks/{hook}").json()["enabled"]
    world.stop()
    assert own.got.empty() and operators.got.empty()
    assert fsck(world.service.store)[0] == 0
    own.close()
    operators.close()
