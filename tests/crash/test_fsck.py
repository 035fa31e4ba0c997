"""`callhook fsck` sees every kind of damage, and none where there is none."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from bed import World, fsck
from e2e import BINARY, PATIENCE
from load import some_call

ONE = "(webhook, key) IN (SELECT webhook, key FROM delivery WHERE {} LIMIT 1)"


def delivery(change, where):
    return f"UPDATE delivery SET {change} WHERE " + ONE.format(where)


DAMAGE = [
    ("UPDATE ledger SET delivered = delivered + 1", "its ledger says"),
    ("UPDATE ledger SET accepted = accepted + 1", "does not add up"),
    ("DELETE FROM ledger WHERE webhook = 1", "its ledger is missing"),
    ("UPDATE ledger SET streak_attempts = 7, streak_since_ms = 0", "about its receiver"),
    ("DELETE FROM delivery WHERE " + ONE.format("state = 2"), "a delivery that was made for it is missing"),
    (delivery("state = 0", "state = 2"), "answered 2xx, but it is PENDING"),
    (delivery("state = 1", "state = 2"), "its state can't be"),
    (delivery("at_ms = 0", "state = 2"), "its moment can't be"),
    (delivery("at_ms = 5", "state = 4"), "its moment can't be"),
    (delivery("reason = NULL", "state = 3"), "FAILED without a reason"),
    (delivery("reason = NULL", "state = 5"), "CANCELED without a reason"),
    (delivery("reason = 'x'", "state = 2"), "DELIVERED, but has a reason"),
    (delivery("attempts = attempts + 1", "state = 3"), "it counts"),
    (delivery("tries = attempts + 1", "state = 3"), "tries and"),
    (delivery("round = 0, delivered_before = 1", "state = 2"), "its rounds can't be"),
    (delivery("created_ms = created_ms - 100000000", "state = 2"), "another time"),
    (delivery("key = key + 1000000007", "state = 2"), "its key is not the one of its id"),
    (delivery("id = x'00'", "state = 2"), "it has no id"),
    (delivery("call = 1000000", "state = 2"), "the version of the call that it brings is missing"),
    (delivery("last_attempt = 0", "state = 3"), "it counts"),
    ("DELETE FROM attempt WHERE number = (SELECT max(number) FROM attempt)", "is missing"),
    ("UPDATE attempt SET delivery = delivery + 1 WHERE number = 1", "belongs to another delivery"),
    ("UPDATE attempt SET previous = number WHERE number = 2", "is out of order"),
    ("UPDATE attempt SET status = 500 WHERE status = 200", "no attempt was answered 2xx"),
    ("UPDATE attempt SET outcome = 77 WHERE number = 1", "can't be as it is"),
    ("INSERT INTO attempt SELECT number + 1000000, delivery, previous, id, started_ms, outcome, status, dns_us, "
     "connect_us, tls_us, first_byte_us, total_us, address, tls_version, cert_end_s, detail, location, "
     "request_headers, answer FROM attempt WHERE number = 1", "deliveries lead to"),
    ("DELETE FROM call_version WHERE seq = 1", "the version of the call that it brings is missing"),
    ("UPDATE call_version SET body = substr(body, 1, length(body) - 9) WHERE seq = 1", "its record can't be read"),
    ("UPDATE call_version SET body = CAST(replace(CAST(body AS TEXT), ',', ', ') AS BLOB) WHERE seq = 1",
     "is not canonical"),
    ("UPDATE call_version SET status = 3 WHERE seq = 1", "its status is not the one of its record"),
    ("UPDATE call_version SET agent = zeroblob(16) WHERE seq = 1", "its agent is not the one of its record"),
    ("UPDATE call_version SET n = 7 WHERE n = 2", "the version before it is missing"),
    ("UPDATE call_version SET first_delivery = NULL WHERE seq = 1", "the span of its deliveries can't be"),
    ("UPDATE call_version SET last_delivery = first_delivery - 1, first_delivery = first_delivery - 1 WHERE seq = 1",
     "its call does not know of it"),
    ("UPDATE call_version SET account = 9 WHERE seq = 1", "another account's"),
    ("DELETE FROM webhook WHERE number = 1", "it is not there, but it has deliveries"),
    ("UPDATE webhook SET settings = '{' WHERE number = 1", "its settings can't be read"),
    ("UPDATE webhook SET id = x'01' WHERE number = 1", "it has no id"),
    ("UPDATE webhook SET secret = x'0102' WHERE number = 1", "its sealed secret is too short"),
    ("UPDATE webhook SET secret = zeroblob(40), next_secret = x'0102', rotation_started_ms = 1, rotation_ends_ms = 2 "
     "WHERE number = 1", "its sealed next secret is too short"),
    ("UPDATE webhook SET secret = NULL, next_secret = zeroblob(40), rotation_started_ms = 1, rotation_ends_ms = 2 "
     "WHERE number = 1", "it has a next secret, but none before it"),
    ("UPDATE webhook SET rotation_ends_ms = 5 WHERE number = 1", "the times of its secret's rotation can't be"),
    ("UPDATE webhook SET secret = zeroblob(40), next_secret = zeroblob(40), rotation_started_ms = 3, "
     "rotation_ends_ms = 2 WHERE number = 1", "the times of its secret's rotation can't be"),
    ("UPDATE webhook SET next_secret = zeroblob(40), rotation_started_ms = 1, rotation_ends_ms = 2 "
     "WHERE name = 'canceled'", "it was deleted, but its secret is still there"),
    ("UPDATE webhook SET sweep = 7 WHERE number = 1", "what its deliveries have to do can't be"),
    ("UPDATE webhook SET enabled = 2 WHERE number = 1", "its switches can't be"),
    ("UPDATE webhook SET deleted = 1, secret = NULL WHERE name = 'gone'", "it is deleted, but"),
    ("DELETE FROM listed WHERE seq = (SELECT max(seq) FROM listed) AND list < 64", "does not stand in the lists of calls"),
    ("DELETE FROM listed_phone", "does not stand in the list of its phone number"),
    ("UPDATE listed_phone SET agent_list = agent_list + 1", "does not stand in the list of its phone number"),
    ("INSERT INTO listed VALUES (32, 5, 1)", "the lists have"),
    ("INSERT INTO listed VALUES (3200000, 5, 1)", "the lists have"),
    ("INSERT INTO listed_phone VALUES (1, 33612345678, 5, 1, 64)", "the lists of phone numbers have"),
    ("UPDATE stretch SET counts = zeroblob(40)", "the counts of its calls are not what its lists hold"),
    ("UPDATE stretch SET counts = zeroblob(39)", "the counts of its calls can't be"),
    ("UPDATE stretch SET created_s = 0", "its first stretch of calls is missing"),
    ("INSERT INTO stretch VALUES (1, 5, 0, zeroblob(40))", "not the last stretch"),
    ("DELETE FROM stretch WHERE tally = 1", "the counts of its calls are missing"),
    ("DELETE FROM agent", "its agent is not known"),
    ("DELETE FROM account", "its account is not there"),
    ("DELETE FROM mark", "its marks are missing"),
    ("UPDATE mark SET removed_attempt = -1", "its marks can't be"),
    ("INSERT INTO removed VALUES (1, 1, 0, 0)", "its ledger says"),
    ("INSERT INTO removed VALUES (999, 0, 0, 0)", "rows of it were removed"),
    ("INSERT INTO removed VALUES (1, -1, 0, 0)", "the counts of what was removed can't be"),
    ("UPDATE call_version SET digest = zeroblob(32) WHERE seq = 1", "the digest of what was erased can't be"),
    ("UPDATE call_version SET seq = -seq WHERE seq = 1", "the mark that it was erased can't be"),
    ("UPDATE ledger SET minute_attempts = 0 WHERE minute_s > 0", "what was counted of its attempts can't be"),
    ("UPDATE ledger SET minute_latency = x'01' WHERE minute_s > 0", "what was counted of its attempts can't be"),
    ("INSERT INTO history VALUES (60, 61, 1, 1, 1, x'')", "what was counted of its attempts can't be"),
    ("INSERT INTO history VALUES (3600, 3600, 1, 1, 2, x'')", "what was counted of its attempts can't be"),
    ("INSERT INTO history VALUES (3600, 3600, 1, 1, 1, x'0002')", "what was counted of its attempts can't be"),
    ("INSERT INTO history VALUES (3600, 3600, 999, 1, 1, x'0001')", "its attempts are counted"),
    ("INSERT INTO history VALUES (60, 60, 1, 1, 1, x'0001')", "in minutes than in their hour"),
]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A store with deliveries in every end state, retries among them, and a call of two versions."""
    world = World(tmp_path_factory.mktemp("fsck"), 7)
    assert world.start()
    world.make_hooks()
    world.feed(1)
    world.wait_events(150)
    client = world.client()
    for status in ("FAILED", "REJECTED", "VOICE_BOX", "COMPLETED"):
        call = some_call(world.rng, status=status, phone="+33612345678")
        assert client.ask("PUT", f"/v1/calls/{call['id']}", call)[0] == 201
        assert client.ask("PUT", f"/v1/calls/{call['id']}", {**call, "recorded": True})[0] == 200
    world.end_feeders()
    made = world.make_hook(client, "canceled", world.audience.url("good"), enabled=False)
    assert client.ask("PUT", f"/v1/calls/{call['id']}?notify=true", {**call, "summary": "again"})[0] == 200
    assert client.ask("DELETE", f"/v1/webhooks/{made}")[0] == 204
    world.wait_nothing_pending(client)
    client.close()
    world.stop()
    world.close()
    yield world.path


@pytest.fixture
def copy(healthy, tmp_path):
    path = str(tmp_path / "copy.db")
    for end in ("", "-wal"):
        if os.path.exists(healthy + end):
            shutil.copy(healthy + end, path + end)
    return path


def run(*arguments):
    return subprocess.run([BINARY, "fsck", *arguments], capture_output=True, text=True, timeout=PATIENCE)


def test_a_healthy_store_is_well_and_adds_up(copy):
    ended = run("--store", f"sqlite:{copy}")
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.splitlines()[-1].endswith("all well")
    code, lines = fsck(f"sqlite:{copy}")
    assert code == 0 and lines[-1]["ok"] is True and lines[-1]["findings"] == 0
    ledger = lines[-1]["ledger"]
    assert lines[0] == {"account": {"id": "default", "ledger": ledger}}
    assert ledger["accepted"] == sum(n for state, n in ledger.items() if state != "accepted")
    assert all(ledger[state] > 0 for state in ("delivered", "failed", "parked", "canceled")), ledger


@pytest.mark.parametrize("sql,words", DAMAGE)
def test_planted_damage_is_named(copy, sql, words):
    db = sqlite3.connect(copy)
    assert db.execute(sql).rowcount > 0
    db.commit()
    db.close()
    ended = run("--store", f"sqlite:{copy}")
    found = [line for line in ended.stdout.splitlines() if line.startswith("DAMAGED ")]
    assert ended.returncode == 1 and any(words in line for line in found), ended.stdout
    assert "33612345678" not in ended.stdout + ended.stderr
    code, lines = fsck(f"sqlite:{copy}")
    assert code == 1 and lines[-1]["ok"] is False
    assert len([line for line in lines if "finding" in line]) == len(found) == lines[-1]["findings"]


@pytest.mark.parametrize("table", ["delivery_kept", "attempt", "call_version"])
def test_a_page_of_nonsense_is_seen(copy, table):
    db = sqlite3.connect(copy)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page, = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    size, = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with open(copy, "r+b") as f:
        f.seek((page - 1) * size)
        f.write(b"\xa5" * size)
    ended = run("--store", f"sqlite:{copy}")
    assert ended.returncode == 1 and "DAMAGED the database: " in ended.stdout, ended


def test_an_unfinished_sweep_is_told_and_no_damage(copy):
    db = sqlite3.connect(copy)
    db.execute("UPDATE webhook SET sweep = 1 WHERE name = 'toggled'")
    db.commit()
    db.close()
    code, lines = fsck(f"sqlite:{copy}")
    assert code == 0
    assert [line["note"]["what"] for line in lines if "note" in line] == \
        ["its deliveries do not all follow its switch yet"]


def test_it_reads_beside_a_server_under_load_and_changes_nothing(make_world):
    world = make_world()
    assert world.start()
    world.make_hooks()
    world.feed(3)
    for _ in range(10):
        world.wait_events(20)
        code, lines = fsck(world.service.store)
        assert code == 0, lines
    assert lines[-1]["deliveries"] > 50
    world.stop()
    world.audit()


def test_after_a_kill_it_reads_the_log_and_leaves_the_files_alone(make_world):
    world = make_world()
    assert world.start()
    world.make_hooks()
    world.feed(2)
    world.wait_events(50)
    world.kill()

    def content():
        return {end: open(world.path + end, "rb").read() for end in ("", "-wal")}
    before = content()
    assert before["-wal"]
    assert fsck(world.service.store)[0] == 0
    assert content() == before


def test_a_store_that_somebody_holds_is_not_waited_for_for_ever(copy):
    holder = sqlite3.connect(copy, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("UPDATE mark SET id_ahead_ms = id_ahead_ms")
    ended = run("--store", f"sqlite:{copy}")
    holder.close()
    assert ended.returncode == 1 and "callhook fsck: " in ended.stderr and "all well" not in ended.stdout


@pytest.mark.parametrize("pragma,words", [("user_version = 99", "newer"), ("user_version = 1", "up to date"),
                                          ("application_id = 1", "no database of callhook")])
def test_a_store_of_another_version_is_not_judged(copy, pragma, words):
    db = sqlite3.connect(copy)
    db.execute(f"PRAGMA {pragma}")
    db.close()
    ended = run("--store", f"sqlite:{copy}")
    assert ended.returncode == 1 and words in ended.stderr and not ended.stdout


def test_usage(tmp_path):
    shown = run("--help")
    assert shown.returncode == 0 and "callhook fsck --store sqlite:/" in shown.stdout
    assert run("--store", "postgres://x").returncode == 2
    assert run("--nonsense").returncode == 2
    missing = tmp_path / "missing.db"
    ended = run("--store", f"sqlite:{missing}")
    assert ended.returncode == 1 and "missing.db" in ended.stderr
    assert not missing.exists()
    text = tmp_path / "text.db"
    text.write_text("this is no database, and long enough to be read as one " * 50)
    assert run("--store", f"sqlite:{text}").returncode == 1


def test_json_is_a_line_each(copy):
    for line in run("--json", "--store", f"sqlite:{copy}").stdout.splitlines():
        assert isinstance(json.loads(line), dict)
