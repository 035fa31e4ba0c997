"""What /metrics says, checked with Prometheus' own tool; and that rules and dashboard ask for what is there."""
import json
import os
import re
import subprocess

from conftest import ROOT, some_call

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
