"""HTTPS: the certificate, reading it again, and clients that do it wrong."""
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from conftest import API_KEY, BINARY, PATIENCE, some_call


def make_certificate(folder, name):
    cert, key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def digest(cert):
    with open(cert, encoding="ascii") as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def trusting(cert, **versions):
    context = ssl.create_default_context(cafile=cert)
    for name, value in versions.items():
        setattr(context, name, value)
    return context


def connect(service, context):
    raw = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def served(tls):
    return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()


def ask(tls, path="/healthz"):
    tls.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = http.client.HTTPResponse(tls)
    answer.begin()
    return answer.status, answer.read()


def https(service, context, method, path, body=None):
    connection = http.client.HTTPSConnection("127.0.0.1", service.port, context=context, timeout=PATIENCE)
    connection.request(method, path, body, {"X-Api-Key": API_KEY, "Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def wait_logged(service, text, times=1):
    until = time.monotonic() + PATIENCE
    while service.logged().count(text) < times:
        assert time.monotonic() < until, f"never logged: {text}"


@pytest.fixture
def pair(tmp_path):
    return make_certificate(tmp_path, "first")


@pytest.fixture
def tls_service(make_service, pair):
    return make_service("--dev", "--tls-cert", pair[0], "--tls-key", pair[1]).start()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_of_all_sizes_go_through(tls_service, pair, version):
    context = trusting(pair[0], minimum_version=version, maximum_version=version)
    for text in ["x", "x" * 16000, "x" * 400_000]:
        call = some_call(extractors=[{"name": "note", "value": [text]}])
        status, _ = https(tls_service, context, "PUT", f"/v1/calls/{call['id']}", json.dumps(call))
        assert status == 201
        status, body = https(tls_service, context, "GET", f"/v1/calls/{call['id']}")
        assert status == 200 and json.loads(body)["extractors"][0]["value"] == [text]


def test_pipelined_requests_in_one_record_are_all_answered(tls_service, pair):
    tls = connect(tls_service, trusting(pair[0]))
    tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
    reader = tls.makefile("rb")
    for _ in range(40):
        assert reader.readline().startswith(b"HTTP/1.1 200 ")
        length = 0
        while (line := reader.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        reader.read(length)


def test_curl_is_content_with_it(tls_service, pair):
    done = subprocess.run(["curl", "-sS", "--cacert", pair[0], "-w", "%{http_version} %{http_code}",
                           f"https://127.0.0.1:{tls_service.port}/healthz"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("1.1 200")


def test_old_versions_are_refused(tls_service, pair):
    context = trusting(pair[0], maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        connect(tls_service, context)


def test_a_reload_is_for_new_connections_and_keeps_the_open_ones(tls_service, pair, tmp_path):
    old = connect(tls_service, trusting(pair[0]))
    assert ask(old)[0] == 200
    first = digest(pair[0])
    second = make_certificate(tmp_path, "second")
    shutil.copy(second[0], pair[0])
    shutil.copy(second[1], pair[1])
    tls_service.process.send_signal(signal.SIGHUP)
    wait_logged(tls_service, "certificate_reloaded")
    assert ask(old)[0] == 200 and served(old) == first
    new = connect(tls_service, trusting(second[0]))
    assert served(new) == digest(second[0]) != first and ask(new)[0] == 200


def test_a_session_goes_on_after_a_reload(tls_service, pair):
    context = trusting(pair[0], maximum_version=ssl.TLSVersion.TLSv1_2)
    one = connect(tls_service, context)
    assert ask(one)[0] == 200 and not one.session_reused
    tls_service.process.send_signal(signal.SIGHUP)
    wait_logged(tls_service, "certificate_reloaded")
    raw = socket.create_connection(("127.0.0.1", tls_service.port), timeout=PATIENCE)
    two = context.wrap_socket(raw, server_hostname="127.0.0.1", session=one.session)
    assert two.session_reused and ask(two)[0] == 200


@pytest.mark.parametrize("spoil", ["no key", "no certificate", "another key", "gone"])
def test_a_bad_file_keeps_the_old_certificate(tls_service, pair, tmp_path, spoil):
    first = digest(pair[0])
    context = trusting(pair[0])
    if spoil == "gone":
        os.unlink(pair[0])
    elif spoil == "another key":
        shutil.copy(make_certificate(tmp_path, "other")[1], pair[1])
    else:
        with open(pair[1 if spoil == "no key" else 0], "w", encoding="ascii") as f:
            f.write("nothing of the kind\n")
    tls_service.process.send_signal(signal.SIGHUP)
    wait_logged(tls_service, "certificate_kept")
    tls = connect(tls_service, context)
    assert served(tls) == first and ask(tls)[0] == 200


def test_plain_http_is_told_to_use_https(tls_service):
    with socket.create_connection(("127.0.0.1", tls_service.port), timeout=PATIENCE) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        got = raw.makefile("rb").read()
    assert got.startswith(b"HTTP/1.1 400 ") and b"https" in got


def test_noise_and_early_leavers_harm_nobody(tls_service, pair):
    for noise in [b"", b"\x16", b"\x16\x03\x01\x40\x00" + b"a" * 500, b"\0" * 3000]:
        with socket.create_connection(("127.0.0.1", tls_service.port), timeout=PATIENCE) as raw:
            raw.sendall(noise)
    leaver = connect(tls_service, trusting(pair[0]))
    leaver.sendall(b"PUT /v1/calls/x HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + b"a" * 70000)
    leaver.detach()
    tls = connect(tls_service, trusting(pair[0]))
    assert ask(tls)[0] == 200


def test_renegotiation_is_refused(tls_service, pair):
    done = subprocess.run(["openssl", "s_client", "-tls1_2", "-CAfile", pair[0], "-connect",
                           f"127.0.0.1:{tls_service.port}"], input="R\n", capture_output=True, text=True,
                          timeout=PATIENCE)
    assert "no renegotiation" in done.stdout + done.stderr
    assert ask(connect(tls_service, trusting(pair[0])))[0] == 200


def test_a_handshake_that_does_not_end_is_cut_off(make_service, pair):
    service = make_service("--tls-cert", pair[0], "--tls-key", pair[1], "--request-timeout", "1").start()
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert raw.recv(1) == b""


@pytest.mark.parametrize("options, words", [
    (["--tls-cert", "CERT"], "belong together"), (["--tls-cert", "/nowhere", "--tls-key", "KEY"], "/nowhere"),
    (["--tls-cert", "CERT", "--tls-key", "/nowhere"], "/nowhere")])
def test_what_is_missing_is_named(pair, options, words):
    options = [{"CERT": pair[0], "KEY": pair[1]}.get(o, o) for o in options]
    done = subprocess.run([BINARY, "serve", "--listen", "127.0.0.1:0", "--store", "memory:", *options],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2 and words in done.stderr
