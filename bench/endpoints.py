"""Fifty endpoints of different kinds: slow, failing, TLS."""
import os
import subprocess
import tempfile

from machine import BUILD
from scenario import Scenario
from throughput import COLUMNS, by_bullmq, by_import

HOSTS = 50
CONCURRENCY = 64  # an endpoint; what answers after half a second takes 2 x 50 x 64 a second at most


def make_certificate():
    """An authority of our own and a certificate for the endpoints' addresses: (the receiver's PEM, the CA's)."""
    folder = tempfile.mkdtemp(prefix="tls-bench-", dir=BUILD)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    names = ",".join(f"IP:127.0.0.{i + 1}" for i in range(HOSTS))
    with open(os.path.join(folder, "names"), "w", encoding="utf-8") as f:
        f.write(f"subjectAltName={names}\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")
    openssl("req", "-x509", *key, "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=callhook bench CA")
    openssl("req", *key, "key.pem", "-out", "csr.pem", "-subj", "/CN=callhook bench")
    openssl("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "cert.pem")
    with open(os.path.join(folder, "both.pem"), "w", encoding="utf-8") as out:
        for part in ("cert.pem", "key.pem"):
            with open(os.path.join(folder, part), encoding="utf-8") as f:
                out.write(f.read())
    return os.path.join(folder, "both.pem"), os.path.join(folder, "ca.pem")


def finish(rows):
    for name, row in rows.items():
        peer = rows.get(name.replace("callhook", "BullMQ"))
        if peer:
            row["times_peer"] = row["per_cpu_s"] / peer["per_cpu_s"]


def scenario(body, payload, settings, tuned, has_peer):
    count, peer_count = settings.count, settings.peer_count
    retries = ("--retry-schedule", ",".join(["1s"] * 11))
    tls, ca = make_certificate()
    variants = []

    def add(name, ours, theirs):
        variants.append(lambda: {f"callhook, {name}": ours()})
        if has_peer:
            variants.append(lambda: {f"BullMQ, {name}": theirs()})

    for delay_ms in (0, 50, 500):
        # As many under way as callhook may have; at once needs no more than the tuning found.
        at_once = (HOSTS * CONCURRENCY, tuned[1]) if delay_ms else tuned
        add(f"answer after {delay_ms} ms",
            lambda d=delay_ms: by_import(body, count, HOSTS, concurrency=CONCURRENCY, delay_ms=d),
            lambda d=delay_ms, t=at_once: by_bullmq(payload, peer_count, "everysec", HOSTS, t, delay_ms=d))
    add("5 % answer 500",
        lambda: by_import(body, count, HOSTS, concurrency=CONCURRENCY, options=retries, fail=5),
        lambda: by_bullmq(payload, peer_count, "everysec", HOSTS, tuned, fail=5))
    add("HTTPS",
        lambda: by_import(body, count, HOSTS, concurrency=CONCURRENCY, options=("--ca-file", ca), tls=tls),
        lambda: by_bullmq(payload, peer_count, "everysec", HOSTS, tuned, tls=tls, ca=ca))
    columns = [c for c in COLUMNS if c[0] != "of_limit"]
    return Scenario("endpoints", "Fifty endpoints of one kind; import beside addBulk with everysec", columns, variants,
                    finish=finish,
                    note="5 % answer 500: tried again after 1 s by both; CPU per call delivered in the end")
