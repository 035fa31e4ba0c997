"""src/api/openapi.json is whole, and names the routes that the table of routes has: no more and no fewer."""
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

# Described and not built. Ends empty: what is built leaves this list, or the test fails.
NOT_YET = {
    "DELETE /v1/calls/{id}", "GET /v1/calls", "GET /v1/calls/feed", "POST /v1/webhooks/{id}/test", "POST /v1/webhooks/check",
    "GET /v1/deliveries/stream",
    "GET /v1/stats", "POST /v1/auth/token", "GET /v1/account", "PATCH /v1/account",
    "POST /v1/account/keys/{slot}/rotate", "GET /v1/audit", "POST /v1/session", "DELETE /v1/session",
    "POST /v1/integrations/hooks", "DELETE /v1/integrations/hooks/{id}", "GET /v1/agents", "PUT /v1/agents/{id}",
    "GET /v1/accounts", "POST /v1/accounts", "DELETE /v1/accounts/{id}", "POST /v1/accounts/{id}/portal-link",
    "GET /openapi.json", "GET /docs",
}


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
    assert set(described()) - set(built()) == NOT_YET


def test_scopes_and_bodies_are_those_of_the_routes():
    operations = described()
    for name, (caller, scope, body) in built().items():
        security = operations[name]["security"]
        assert (security == []) == (caller == "ROUTE_OPEN"), name
        bearer = [one["bearer"] for one in security if "bearer" in one]
        if scope in SCOPES:
            assert bearer == [[SCOPES[scope]]], name
        request = operations[name].get("requestBody", {})
        assert set(request.get("content", {})) == TYPES[body], name
        assert request.get("required", False) == (body not in ("ROUTE_NO_BODY", "ROUTE_MAYBE_JSON")), name
