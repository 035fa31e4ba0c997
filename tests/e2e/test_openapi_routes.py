"""src/api/openapi.json is whole, and names the routes that the table of routes has, but for what is planned."""
import json
import os
import re
import subprocess
import sys

from conftest import ROOT

DOCUMENT = os.path.join(ROOT, "src", "api", "openapi.json")
ROW = re.compile(r'\{"([A-Z]+)", "(/[^"]*)", (ROUTE_\w+), (SCOPE_\w+), (ROUTE_\w+),')
SCOPES = {"SCOPE_CALLS_READ": "calls:read", "SCOPE_CALLS_WRITE": "calls:write",
          "SCOPE_INTEGRATIONS_READ": "integrations:read", "SCOPE_INTEGRATIONS_WRITE": "integrations:write"}
TYPES = {"ROUTE_JSON": {"application/json"}, "ROUTE_MAYBE_JSON": {"application/json"},
         "ROUTE_MERGE_PATCH": {"application/merge-patch+json", "application/json"},
         "ROUTE_NDJSON": {"application/x-ndjson", "application/jsonl"}, "ROUTE_NO_BODY": set()}

def built():
    """Method and path to (caller, scope, body), out of the table of routes."""
    with open(os.path.join(ROOT, "src", "api", "routes.c"), encoding="utf-8") as f:
        text = f.read()
    table = text[text.index("api_routes[] = {"):text.index("};")]
    rows = {f"{m[1]} {m[2]}": m.groups()[2:] for m in ROW.finditer(table)}
    # Every line of the table was understood.
    assert len(rows) == table.count('{"') > 0
    return rows


def described():
    with open(DOCUMENT, encoding="utf-8") as f:
        paths = json.load(f)["paths"]
    return {f"{method.upper()} {path}": operation for path, item in paths.items() for method, operation in item.items()}


def test_the_document_is_whole_and_in_its_one_form():
    run = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "openapi.py"), "--check"], capture_output=True,
                         text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_every_route_is_described():
    assert set(built()) - set(described()) == set()


def test_what_is_described_is_built():
    """x-planned: described ahead of the code, and left out of what is served."""
    assert set(described()) - set(built()) == {name for name, o in described().items() if "x-planned" in o}


def test_scopes_and_bodies_are_those_of_the_routes():
    operations = described()
    for name, (caller, scope, body) in built().items():
        security = operations[name]["security"]
        assert (security == []) == (caller == "ROUTE_OPEN"), name
        assert (security == [{"operator": []}]) == (caller == "ROUTE_OPERATOR"), name
        bearer = [one["bearer"] for one in security if "bearer" in one]
        session = [one["session"] for one in security if "session" in one]
        scopes = [[SCOPES[scope]]] if scope in SCOPES else [[]]
        if caller == "ROUTE_ACCOUNT":
            assert bearer == session == scopes, name
        elif caller == "ROUTE_OWNER":
            assert bearer == [] and session == scopes, name
        else:
            assert bearer == [], name
        request = operations[name].get("requestBody", {})
        assert set(request.get("content", {})) == TYPES[body], name
        assert request.get("required", False) == (body not in ("ROUTE_NO_BODY", "ROUTE_MAYBE_JSON")), name
