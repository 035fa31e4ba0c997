"""Holds every answer that a test gets against src/api/openapi.json, and what was accepted against what it says is."""
import functools
import json
import os
import re
import urllib.parse

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Of HTTP itself, or of the connection; the document says nothing about them.
FRAMING = {"date", "server", "connection", "keep-alive", "content-length", "content-type", "transfer-encoding",
           "content-encoding", "vary", "x-content-type-options", "content-security-policy", "referrer-policy"}
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("uuid")
def is_uuid(value):
    return not isinstance(value, str) or re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


@FORMATS.checks("date-time")
def is_date_time(value):
    return not isinstance(value, str) or re.fullmatch(
        r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value) is not None


@FORMATS.checks("date")
def is_date(value):
    return not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None


@functools.lru_cache(maxsize=None)
def document():
    with open(os.path.join(ROOT, "src", "api", "openapi.json"), encoding="utf-8") as f:
        return json.load(f)


def resolved(value):
    while "$ref" in value:
        here = document()
        for part in value["$ref"][2:].split("/"):
            here = here[part]
        value = {**here, **{k: v for k, v in value.items() if k != "$ref"}}
    return value


@functools.lru_cache(maxsize=None)
def paths():
    """(pattern, path item) with what is built, fixed ones first."""
    found = []
    for path, item in document()["paths"].items():
        item = {method: o for method, o in item.items() if "x-planned" not in o}
        if item:
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
            found.append((path.count("{"), re.compile(pattern), path, item))
    return [row[1:] for row in sorted(found, key=lambda row: row[0])]


def operation_of(method, path):
    """(path as described, operation); None where there is none."""
    for pattern, name, item in paths():
        if pattern.fullmatch(path):
            return name, item.get("get" if method == "HEAD" else method.lower())
    return None, None


def errors_of(schema, value):
    resolver = jsonschema.RefResolver("", document())
    checker = jsonschema.Draft202012Validator(schema, resolver=resolver, format_checker=FORMATS)
    return [f"/{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in checker.iter_errors(value)]


def headers_of(response, headers):
    described = {name.lower(): resolved(h) for name, h in response.get("headers", {}).items()}
    for name, header in described.items():
        if name not in headers:
            if header.get("required"):
                yield f"header {name} is missing"
            continue
        value = headers[name]
        if resolved(header["schema"]).get("type") == "integer":
            value = int(value) if re.fullmatch(r"\d+", value) else value
        yield from (f"header {name}{e}" for e in errors_of(header["schema"], value))
    for name in set(headers) - set(described) - FRAMING:
        yield f"header {name} is not described"


def body_of(method, response, answer):
    if method == "HEAD" or not answer.body:
        if method != "HEAD" and response.get("content"):
            yield "the body is missing"
        return
    media = answer.headers.get("content-type", "").split(";")[0]
    content = response.get("content", {}).get(media)
    if content is None:
        yield f"content type {media!r} is not described"
    elif media.endswith("json") and "ndjson" not in media:
        yield from errors_of(content["schema"], json.loads(answer.body))
    elif media == "application/x-ndjson":
        for line in answer.body.splitlines():
            yield from errors_of(content["schema"], json.loads(line))


def accepted_of(operation, query, body):
    """What the server took, the document must allow."""
    described = {p["name"]: p for p in map(resolved, operation.get("parameters", [])) if p["in"] == "query"}
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        if name not in described:
            if "x-any-query" not in operation:
                yield f"query parameter {name} was accepted and is not described"
            continue
        schema = resolved(described[name]["schema"])
        if schema.get("type") in ("integer", "boolean"):
            value = json.loads(value)
        yield from (f"query parameter {name}{e}" for e in errors_of(schema, value))
    content = resolved(operation.get("requestBody", {})).get("content", {})
    if isinstance(body, (dict, list)) and content:
        yield from (f"accepted body{e}" for e in errors_of(next(iter(content.values()))["schema"], body))


def problems_of(method, target, body, answer):
    path, _, query = target.partition("?")
    _, operation = operation_of(method, path)
    anywhere = document()["x-any-request"]["responses"]
    described = {**anywhere, **(operation["responses"] if operation else {})}
    response = described.get(str(answer.status))
    if response is None:
        yield f"status {answer.status} is not described"
        return
    response = resolved(response)
    yield from headers_of(response, answer.headers)
    yield from body_of(method, response, answer)
    if operation and answer.status < 300:
        yield from accepted_of(operation, query, body)


def check(method, target, body, answer):
    found = list(problems_of(method, target, body, answer))
    assert not found, (f"{method} {target} answered {answer.status}, not as openapi.json says:\n  " +
                       "\n  ".join(found) + f"\n{dict(answer.headers)}\n{answer.body[:2000]!r}")
