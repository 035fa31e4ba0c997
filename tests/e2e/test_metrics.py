"""What /metrics says, checked with Prometheus' own tool; and that rules and dashboard ask for what is there."""
import http.client
import json
import os
import re
import subprocess

from conftest import PATIENCE, ROOT, Service, some_call

RULES = os.path.join(ROOT, "packaging", "prometheus")
DASHBOARD = os.path.join(ROOT, "packaging", "grafana", "callhook.json")


def promtool(*arguments, text=None, cwd=None):
    done = subprocess.run(["promtool", *arguments], input=text, text=True, capture_output=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def deliver_one(service, receiver):
    service.webhook(receiver.url())
    assert service.put(some_call()).status == 201
    receiver.next()


def families(text):
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def asked_for(text):
    names = set(re.findall(r"\bcallhook_\w+", text))
    return {re.sub(r"_bucket$", "", name) for name in names}


def test_promtool_has_nothing_to_say(service, receiver):
    deliver_one(service, receiver)
    text = service.request("GET", "/metrics").body.decode()
    assert promtool("check", "metrics", text=text).stderr == ""
    assert int(re.search(r"^callhook_store_commit_duration_seconds_count (\d+)$", text, re.MULTILINE).group(1)) >= 2


def test_the_oldest_that_waits_is_known_though_it_is_not_due(make_service, receiver):
    service = make_service("--dev", "--retry-schedule", "1h").start()
    pattern = re.compile(r"^callhook_oldest_pending_seconds (\S+)$", re.MULTILINE)
    assert pattern.search(service.request("GET", "/metrics").body.decode()).group(1) == "0"
    receiver.answers.put((500, {}, b"no"))
    service.webhook(receiver.url())
    service.put(some_call())
    service.wait_for("/v1/deliveries", lambda page: page["content"][0]["attemptCount"] == 1)
    text = service.request("GET", "/metrics").body.decode()
    assert float(pattern.search(text).group(1)) > 0
    assert re.search(r"^callhook_oldest_due_seconds 0$", text, re.MULTILINE)
    assert promtool("check", "metrics", text=text).stderr == ""


def test_alert_rules_fire_when_they_should():
    promtool("check", "rules", "callhook.rules.yml", cwd=RULES)
    promtool("test", "rules", "callhook.rules.test.yml", cwd=RULES)


def test_rules_and_dashboard_ask_for_what_is_there(service, receiver):
    deliver_one(service, receiver)
    there = families(service.request("GET", "/metrics").body.decode())
    with open(os.path.join(RULES, "callhook.rules.yml"), encoding="utf-8") as f:
        rules = asked_for("\n".join(line for line in f if "expr:" in line))
    with open(DASHBOARD, encoding="utf-8") as f:
        panels = json.load(f)["panels"]
    dashboard = asked_for("\n".join(t["expr"] for p in panels for t in p["targets"]))
    assert len(rules) >= 8 and len(dashboard) >= 12
    assert rules | dashboard <= there


class Apart(Service):
    """Also waits for the address of the metrics, which is printed before the service is ready."""

    def command(self):
        return [*super().command(), "--metrics-listen", "127.0.0.1:0"]

    def start(self):
        super().start()
        self.metrics_port = int(re.search(r"metrics on http://127\.0\.0\.1:(\d+)/metrics", self.said()).group(1))
        return self

    def metrics(self, path="/metrics", method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=PATIENCE)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body


def test_metrics_have_an_address_of_their_own(tmp_path, receiver):
    service = Apart(tmp_path, "--dev").start()
    deliver_one(service, receiver)
    status, text = service.metrics()
    assert status == 200 and promtool("check", "metrics", text=text).stderr == ""
    assert service.request("GET", "/metrics").status == 404
    assert service.request("GET", "/healthz").status == 200
    for path in ("/healthz", "/readyz", "/", "/v1/webhooks", "/openapi.json", "/nothing"):
        assert service.metrics(path)[0] == 404, path
    assert service.metrics(method="POST")[0] == 405
    service.stop()


def test_an_address_that_is_none_is_said(tmp_path):
    for wrong in ("9464", "localhost:", "127.0.0.1:99999"):
        done = subprocess.run([*Service(tmp_path).command(), "--metrics-listen", wrong], capture_output=True, text=True,
                              check=False, timeout=PATIENCE)
        assert done.returncode == 2 and "--metrics-listen" in done.stderr, done.stderr
