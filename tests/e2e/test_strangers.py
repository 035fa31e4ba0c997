"""Code that others wrote verifies what really came over the wire."""
import json
import os
import subprocess

import pytest

from conftest import BINARY, ROOT, seed_call, some_call

INTEROP = os.path.join(ROOT, "tests", "interop")
CODEC_JAR = "/usr/share/java/commons-codec.jar"

CALLS = {
    "seed": seed_call(),
    "non-ascii": some_call(summary="Rückruf für Zoë 🎉 \u2028 <&> \\ \" / end", context={
        "10": 0.1, "2": 1e21, "naïve": [5e-324, -0.0, None, True], "": {"日本": "語"}}),
}


@pytest.fixture(scope="module")
def java_class(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("java"))
    subprocess.run(["javac", "-encoding", "UTF-8", "-cp", CODEC_JAR, "-d", folder,
                    os.path.join(INTEROP, "SeedSample.java")], check=True)
    return folder


@pytest.fixture(params=sorted(CALLS))
def received(request, service, receiver, tmp_path):
    _, secret = service.webhook(receiver.url())
    assert service.put(CALLS[request.param]).status == 201
    got = receiver.next()
    (tmp_path / "body").write_bytes(got.body)
    (tmp_path / "headers").write_text("".join(f"{k}: {v}\n" for k, v in got.header_lines))
    return {"name": request.param, "secret": secret, "got": got, "body": str(tmp_path / "body"),
            "headers": str(tmp_path / "headers")}


def test_the_seeds_java_sample(received, java_class):
    printed = subprocess.run(["java", "-Dfile.encoding=UTF-8", "-cp", f"{java_class}:{CODEC_JAR}", "SeedSample",
                              received["secret"], received["body"]], check=True, capture_output=True, text=True)
    assert printed.stdout.strip() == received["got"].headers["x-webhook-signature"]


def test_the_standardwebhooks_package(received):
    printed = subprocess.run(["node", "standard_webhooks.mjs", received["secret"], received["headers"],
                              received["body"]], cwd=INTEROP, check=True, capture_output=True, text=True)
    verdict = json.loads(printed.stdout)
    assert verdict["asReceived"] == "valid"
    assert verdict["parsedAndWrittenAgain"] == "valid"
    assert "No matching signature" in verdict["changedBody"]
    assert "too old" in verdict["oldTimestamp"]
    assert "No matching signature" in verdict["wrongSecret"]
    assert verdict["isNonAscii"] == (received["name"] == "non-ascii")


def test_callhook_verify_agrees(received):
    command = [BINARY, "verify", "--secret", received["secret"], "--headers", received["headers"], received["body"]]
    good = subprocess.run(command, capture_output=True, text=True)
    assert good.returncode == 0 and good.stdout.startswith("valid")
    with open(received["body"], "ab") as f:
        f.write(b"\n")
    bad = subprocess.run(command, capture_output=True, text=True)
    assert bad.returncode == 1 and "white space" in bad.stdout
