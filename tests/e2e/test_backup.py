"""callhook backup and restore: beside a server, onto another machine, over a store that is there."""
import glob
import hashlib
import hmac
import json
import os
import resource
import sqlite3
import stat
import subprocess
import threading

import pytest

from conftest import BINARY, PATIENCE, Service, some_call


def run(*args, **kwargs):
    return subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, timeout=PATIENCE, **kwargs)


def backup(service, file, *options, **kwargs):
    return run("backup", "--store", service.store, *options, file, **kwargs)


def restore(store, file, *options):
    return run("restore", "--store", f"sqlite:{store}", *options, file)


def fsck(path):
    ended = run("fsck", "--json", "--store", f"sqlite:{path}")
    assert ended.returncode == 0, ended.stdout
    return json.loads(ended.stdout.splitlines()[-1])


def fill(service, receiver, count=3, **changes):
    calls = [some_call(**changes) for _ in range(count)]
    for call in calls:
        assert service.put(call).status == 201
        receiver.next()
        service.wait_delivery(call["id"], "DELIVERED")
    return calls


@pytest.fixture
def filled(service, receiver):
    """(the service, the calls that it has delivered)."""
    service.webhook(receiver.url(), secret=False)
    return service, fill(service, receiver)


@pytest.fixture
def elsewhere(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


class Writer(threading.Thread):
    """Puts one call after another until it is told to end."""

    def __init__(self, service):
        super().__init__()
        self.service, self.must_end, self.accepted = service, False, []
        self.has_many = threading.Event()

    def run(self):
        while not self.must_end:
            call = some_call(summary="x" * 2000)
            if self.service.put(call).status == 201:
                self.accepted.append(call["id"])
            if len(self.accepted) == 100:
                self.has_many.set()


@pytest.mark.threads
def test_a_backup_under_load_is_one_moment_and_can_be_served(service, make_receiver, elsewhere):
    receiver = make_receiver()
    service.webhook(receiver.url(), secret=False)
    writer = Writer(service)
    writer.start()
    assert writer.has_many.wait(PATIENCE)
    before = list(writer.accepted)
    made = [backup(service, elsewhere / f"{i}.db", *options) for i, options in
            enumerate([[], ["--compact"], ["--json", "--with-key"]])]
    writer.must_end = True
    writer.join(PATIENCE)
    assert [m.returncode for m in made] == [0, 0, 0], [m.stderr for m in made]
    for i in range(3):
        sums = fsck(elsewhere / f"{i}.db")
        assert sums["versions"] == sums["deliveries"] == sums["ledger"]["accepted"] >= len(before)
    told = json.loads(made[2].stdout)
    assert told["checked"] and told["key"] == str(elsewhere / "2.db.key") and told["versions"] == sums["versions"]
    assert sorted(os.listdir(elsewhere)) == ["0.db", "1.db", "2.db", "2.db.key"]

    store = elsewhere / "new.db"
    ended = restore(store, elsewhere / "0.db")
    assert ended.returncode == 0, ended.stderr
    other = Service(elsewhere, "--dev", store=f"sqlite:{store}").start()
    for call in before:
        assert other.request("GET", f"/v1/calls/{call}").status == 200
        other.wait_delivery(call, "DELIVERED")
    other.stop()
    assert fsck(store)["ledger"]["accepted"] >= len(before)
    service.stop()
    service.start()
    for call in writer.accepted:
        assert service.request("GET", f"/v1/calls/{call}").status == 200


def test_a_backup_is_private_and_replaces_nothing_unasked(filled, elsewhere):
    service, calls = filled
    file = elsewhere / "a.db"
    made = backup(service, file)
    assert made.returncode == 0, made.stderr
    assert "keep a copy of it elsewhere" in made.stdout
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    again = backup(service, file)
    assert again.returncode == 1 and "--force" in again.stderr
    service.put(some_call(status="REJECTED"))
    assert backup(service, file, "--force").returncode == 0
    assert fsck(file)["versions"] == len(calls) + 1
    assert os.listdir(elsewhere) == ["a.db"]


def test_what_was_written_after_the_backup_is_gone_and_the_rest_is_as_it_was(filled, receiver, elsewhere):
    service, calls = filled
    path = service.store.removeprefix("sqlite:")
    assert backup(service, elsewhere / "a.db").returncode == 0
    late, = fill(service, receiver, 1)
    refused = restore(path, elsewhere / "a.db", "--force")
    assert refused.returncode == 1 and "in use" in refused.stderr
    service.kill()  # its last commits are in the -wal alone
    refused = restore(path, elsewhere / "a.db")
    assert refused.returncode == 1 and "--force" in refused.stderr
    ended = restore(path, elsewhere / "a.db", "--force")
    assert ended.returncode == 0, ended.stderr
    aside, = glob.glob(f"{path}.20*Z")
    assert aside in ended.stdout
    assert fsck(aside)["versions"] == len(calls) + 1
    assert not os.path.exists(f"{path}-wal")
    service.start()
    assert service.request("GET", f"/v1/calls/{late['id']}").status == 404
    for call in calls:
        assert service.request("GET", f"/v1/calls/{call['id']}").status == 200
    fill(service, receiver, 1)
    service.stop()
    assert fsck(path)["ledger"]["delivered"] == len(calls) + 1


def test_a_log_that_was_left_is_not_taken_for_the_new_ones(filled, elsewhere):
    service, calls = filled
    path = service.store.removeprefix("sqlite:")
    assert backup(service, elsewhere / "a.db").returncode == 0
    service.kill()
    assert os.path.getsize(f"{path}-wal") > 0
    os.unlink(path)
    ended = restore(path, elsewhere / "a.db")
    assert ended.returncode == 0, ended.stderr
    assert not os.path.exists(f"{path}-wal") and not os.path.exists(f"{path}-shm")
    assert len(glob.glob(f"{path}.20*Z-wal")) == 1
    assert fsck(path)["versions"] == len(calls)


def test_secrets_open_elsewhere_with_the_key(service, make_receiver, elsewhere):
    receiver = make_receiver()
    _, secret = service.webhook(receiver.url())
    fill(service, receiver, 1)
    assert backup(service, elsewhere / "a.db", "--with-key").returncode == 0
    assert stat.S_IMODE(os.stat(elsewhere / "a.db.key").st_mode) == 0o600
    store = elsewhere / "new.db"
    assert "key" in restore(store, elsewhere / "a.db").stdout
    without = run("serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:{store}", "--dev")
    assert without.returncode == 1 and "key file" in without.stderr
    assert restore(store, elsewhere / "a.db", "--force", "--with-key").returncode == 0
    other = Service(elsewhere, "--dev", store=f"sqlite:{store}").start()
    other.put(some_call())
    got = receiver.next()
    assert got.headers["x-webhook-signature"] == hmac.new(secret.encode(), got.body, hashlib.sha256).hexdigest()
    other.stop()


def damage(path, sql):
    db = sqlite3.connect(path)
    db.execute(sql)
    db.commit()
    db.close()


@pytest.mark.parametrize("sql", ["DELETE FROM attempt", "UPDATE ledger SET delivered = delivered + 1, accepted = accepted + 1",
                                 "DELETE FROM call_version WHERE seq = 2"])
def test_a_damaged_backup_is_refused(filled, elsewhere, sql):
    service, _ = filled
    assert backup(service, elsewhere / "a.db").returncode == 0
    damage(elsewhere / "a.db", sql)
    store = elsewhere / "new.db"
    ended = restore(store, elsewhere / "a.db")
    assert ended.returncode == 1 and "DAMAGED" in ended.stderr and not store.exists()
    assert restore(store, elsewhere / "a.db", "--no-check").returncode == 0
    assert store.exists()


def test_a_backup_with_bytes_overwritten_is_refused(filled, elsewhere):
    service, _ = filled
    assert backup(service, elsewhere / "a.db").returncode == 0
    with open(elsewhere / "a.db", "r+b") as file:
        file.seek(4096 * 2)
        file.write(os.urandom(4096 * 6))
    ended = restore(elsewhere / "new.db", elsewhere / "a.db")
    assert ended.returncode == 1, ended.stdout
    assert not (elsewhere / "new.db").exists()


def test_a_damaged_store_is_not_backed_up_as_a_good_one(filled, elsewhere):
    service, _ = filled
    service.stop()
    damage(service.store.removeprefix("sqlite:"), "DELETE FROM attempt")
    ended = backup(service, elsewhere / "a.db")
    assert ended.returncode == 1 and "DAMAGED" in ended.stderr and os.listdir(elsewhere) == []
    assert backup(service, elsewhere / "a.db", "--no-check").returncode == 0


def test_what_is_no_backup_is_refused(filled, elsewhere):
    service, _ = filled
    file = elsewhere / "a.db"
    assert backup(service, file).returncode == 0
    damage(file, "PRAGMA user_version = 999")
    for options in ([], ["--no-check"]):
        ended = restore(elsewhere / "new.db", file, *options)
        assert ended.returncode == 1 and "newer" in ended.stderr, ended.stderr
    file.write_text("these are words\n" * 1000)
    assert restore(elsewhere / "new.db", file).returncode == 1
    assert restore(elsewhere / "new.db", elsewhere / "b.db").returncode == 1
    sqlite3.connect(elsewhere / "c.db").execute("CREATE TABLE t (x)").connection.close()
    ended = restore(elsewhere / "new.db", elsewhere / "c.db", "--no-check")
    assert ended.returncode == 1 and "another program" in ended.stderr
    assert not (elsewhere / "new.db").exists()
    assert run("backup", "--store", f"sqlite:{elsewhere}/none.db", elsewhere / "d.db").returncode == 1
    assert run("backup", "--store", "memory:", elsewhere / "d.db").returncode == 2
    assert run("backup").returncode == 2 and run("restore", "a", "b").returncode == 2


def test_a_disk_that_is_full_leaves_nothing_half_done(filled, receiver, elsewhere):
    service, calls = filled
    fill(service, receiver, 3, summary="x" * 100000)
    path = service.store.removeprefix("sqlite:")

    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    for options in ([], ["--compact"]):
        ended = backup(service, elsewhere / "a.db", *options, preexec_fn=no_large_files)
        assert ended.returncode == 1 and ended.stderr, ended.stdout
        assert os.listdir(elsewhere) == []
    assert backup(service, elsewhere / "a.db").returncode == 0
    service.stop()
    ended = run("restore", "--store", service.store, "--force", elsewhere / "a.db", preexec_fn=no_large_files)
    assert ended.returncode == 1
    assert fsck(path)["versions"] == len(calls) + 3
    assert not glob.glob(f"{path}.20*") and not os.path.exists(f"{path}.part")
