"""Out of the document: a bad value for each query parameter and each member of a body, of every operation that is built,
is answered 400 with a problem that names the place."""
import copy
import re

import pytest

from conftest import API_KEY, OPERATOR, Service
from openapi_answers import resolved
from test_openapi_routes import built, described

BUILT = {name: described()[name] for name in sorted(built())}


def plain(schema):
    """Without references, and without the null that may stand for the default."""
    schema = resolved(schema)
    for choice in schema.get("anyOf", []):
        choice = resolved(choice)
        if choice.get("type") not in (None, "null"):
            return {**schema, **choice}
    return schema


def types_of(schema):
    kinds = [resolved(s) for s in resolved(schema).get("anyOf", [])] + [resolved(schema)]
    found = set()
    for kind in kinds:
        found |= set(kind["type"] if isinstance(kind.get("type"), list) else [kind.get("type")])
    return found - {None}


def good(schema, name=""):
    """A value that the schema allows."""
    schema = plain(schema)
    if "enum" in schema:
        return schema["enum"][-1] if name == "status" else schema["enum"][0]
    if "examples" in schema:
        return copy.deepcopy(schema["examples"][0])
    kinds = types_of(schema)
    if "object" in kinds:
        return {n: good(v, n) for n, v in schema.get("properties", {}).items() if n in schema.get("required", [])}
    if "array" in kinds:
        return [good(schema["items"])] if "items" in schema else []
    if "integer" in kinds:
        return schema.get("minimum", 0)
    return {"boolean": True}.get(next(iter(kinds - {"null"}), ""), "x" * max(1, schema.get("minLength", 1)))


def wrong_values(schema, in_query=False):
    """(what is wrong, value)."""
    kinds, schema = types_of(schema), plain(schema)
    if not in_query:
        for kind, value in (("boolean", True), ("integer", 7), ("string", "x"), ("array", []), ("object", {}),
                            ("null", None), ("number", 1.5)):
            if kinds and kind not in kinds and not (kind == "integer" and "number" in kinds):
                yield f"a {kind}", value
    elif not kinds & {"string"}:
        yield "words", "words"
        yield "nothing", ""
    if "minimum" in schema:
        yield "too small", schema["minimum"] - 1
    if "maximum" in schema:
        yield "too large", schema["maximum"] + 1
    if "maxLength" in schema:
        yield "too long", "x" * (schema["maxLength"] + 1)
    if schema.get("minLength", 0) > (1 if in_query else 0):
        yield "too short", "x" * (schema["minLength"] - 1)
    if "enum" in schema:
        yield "not one of them", "OTHER" if "string" in kinds else 12345
    formats = {schema.get("format")} | {s.get("format") for s in schema.get("anyOf", [])}
    if formats & {"uuid", "date", "date-time"}:
        yield "no such format", "2024-02-30T99:00:00Z"
    if "minItems" in schema:
        yield "empty", []
    if "maxItems" in schema:
        yield "too many", [good(schema["items"])] * (schema["maxItems"] + 1)
    if "maxProperties" in schema:
        yield "too many", {f"X-{i}": "x" for i in range(schema["maxProperties"] + 1)}


def places(schema, value, at=""):
    """(pointer, schema, function that puts a value there) of all members, those inside others too."""
    schema = plain(schema)
    for name, member in schema.get("properties", {}).items():
        pointer = f"{at}/{name}"
        yield pointer, member
        inner = plain(member)
        if "properties" in inner:
            yield from places(inner, value, pointer)
        elif "items" in inner:
            yield f"{pointer}/0", inner["items"]
            yield from places(inner["items"], value, f"{pointer}/0")


def with_value(schema, pointer, value):
    """A good body but for what stands at the pointer."""
    body = root = good(schema)
    here = plain(schema)
    parts = pointer[1:].split("/")
    for part in parts[:-1]:
        here = plain(here["items"] if part == "0" else here["properties"][part])
        filled = [] if "items" in here else good({**here, "examples": [{}]} if here.get("examples") == [] else here)
        if part == "0":
            body[:] = [filled]
            body = body[0]
        else:
            body[part] = filled
            body = body[part]
    if parts[-1] == "0":
        body[:] = [value]
    else:
        body[parts[-1]] = value
    return root


def body_cases():
    for name, operation in BUILT.items():
        for media, content in resolved(operation.get("requestBody", {})).get("content", {}).items():
            if media != "application/json" or name.endswith("/import"):
                continue
            schema = content["schema"]
            for pointer, member in places(schema, None):
                for what, value in wrong_values(member):
                    yield name, what, pointer, with_value(schema, pointer, value)
            yield name, "an unknown member", "/noSuchMember", with_value(schema, "/noSuchMember", 1)
            for member in plain(schema).get("required", []):
                body = good(schema)
                del body[member]
                yield name, "a missing member", f"/{member}", body


def query_cases():
    for name, operation in BUILT.items():
        if "x-any-query" in operation:
            continue
        for p in map(resolved, operation.get("parameters", [])):
            if p["in"] == "query":
                for what, value in wrong_values(p["schema"], in_query=True):
                    yield name, what, p["name"], value
                yield name, "twice", p["name"], None
        yield name, "an unknown parameter", "noSuchParameter", "1"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One service for all of it: what is refused changes nothing."""
    service = Service(tmp_path_factory.mktemp("bad"), "--dev").start()
    made, _ = service.webhook("http://127.0.0.1:1/")
    yield service, made
    assert service.request("GET", "/v1/webhooks").json()["content"][0]["id"] == made
    service.stop()


def ask(world, name, query="", body=None):
    """Path parameters name what is there, so that nothing but the input is wrong."""
    service, webhook = world
    method, path = name.split(" ")
    identity = body["id"] if path.startswith("/v1/calls/") and is_id(body) else webhook
    path = path.replace("{slot}", "primary").replace("{name}", "x")
    path = re.sub(r"\{id\}", identity, path)
    headers = {"Content-Type": "application/x-ndjson"} if path.endswith("/import") else {}
    key = API_KEY
    if BUILT[name]["security"] == [{"operator": []}]:
        key = None
        headers["Authorization"] = f"Bearer {OPERATOR}"
    if method in ("PUT", "PATCH", "POST") and body is None:
        body = b"{}"
        headers.setdefault("Content-Type", "application/json")
    return service.request(method, path + query, body, headers, key=key)


def is_id(body):
    return isinstance(body, dict) and isinstance(body.get("id"), str) and \
        re.fullmatch(r"[0-9a-f-]{36}", body["id"]) is not None


def refused(answer):
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json"), answer.body
    return answer.json()["errors"]


@pytest.mark.parametrize("name", sorted({case[0] for case in body_cases()}))
def test_a_bad_member_is_named(world, name):
    cases = [case[1:] for case in body_cases() if case[0] == name]
    assert cases
    for what, pointer, body in cases:
        errors = refused(ask(world, name, body=body))
        places_named = [e["pointer"] for e in errors]
        assert any(p == pointer or p.startswith(pointer + "/") for p in places_named), (what, pointer, errors)


@pytest.mark.parametrize("name", sorted({case[0] for case in query_cases()}))
def test_a_bad_query_parameter_is_named(world, name):
    cases = [case[1:] for case in query_cases() if case[0] == name]
    assert cases
    for what, parameter, value in cases:
        query = f"?{parameter}={value}" if value is not None else f"?{parameter}=1&{parameter}=1"
        errors = refused(ask(world, name, query))
        assert any(f'"{parameter}"' in e["detail"] for e in errors), (what, parameter, errors)
