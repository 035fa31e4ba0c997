"""tools/api_rules.py leaves nothing of the document unchecked without saying so."""
import os
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
from api_rules import Tables  # noqa: E402
from openapi import DOCUMENT, Document  # noqa: E402


@pytest.fixture
def tables():
    with open(DOCUMENT, encoding="utf-8") as f:
        return Tables(Document(f.read()))


@pytest.mark.parametrize("schema, words", [
    ({"type": "string", "pattern": "^a$"}, "pattern is not known"),
    ({"type": "array", "uniqueItems": True}, "uniqueItems is not known"),
    ({"type": "object", "properties": {"a": {"type": "integer", "multipleOf": 2}}}, "multipleOf is not known"),
    ({"type": "array", "items": {"type": "string", "const": "a"}}, "const is not known"),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "this anyOf is not known"),
    ({"type": "string", "format": "email"}, "format email is not known"),
    ({"type": "string", "minimum": 1}, "does not fit the type"),
    ({"type": ["string", "integer"], "minimum": 1}, "does not fit the type"),
])
def test_what_it_does_not_know_stops_it(tables, schema, words):
    with pytest.raises(SystemExit, match=words):
        tables.node(schema, "here")


def test_a_query_parameter_that_is_required_stops_it(tables):
    needed = {"name": "a", "in": "query", "required": True, "schema": {"type": "string"}}
    with pytest.raises(SystemExit, match="required"):
        tables.operation("get", "/here", {"parameters": [needed]})


def test_what_it_knows_becomes_a_table(tables):
    name = tables.node({"type": ["integer", "null"], "minimum": 1, "maximum": 9, "description": "x"}, "here")
    assert [line for line in tables.lines if f" {name} " in line] == [
        f"static const struct rule {name} = {{.types = RULE_INTEGER | RULE_NULL, .format = RULE_NO_FORMAT, .min = 1, "
        ".max = 9};"]
