#!/usr/bin/env python3
"""Makes the page that GET /docs answers out of the API's description: HTML without script, its style within it.

    docs_page.py --embed OUT.c STYLE.css...    as C, plain and compressed, with the policy that its style needs
    docs_page.py --html OUT.html STYLE.css...  to look at it
"""
import argparse
import base64
import gzip
import hashlib
import html
import json
import re

from openapi import DOCUMENT, Document, without_plans
from page import array

SHOWN_METHODS = {"get": "GET", "put": "PUT", "post": "POST", "patch": "PATCH", "delete": "DELETE"}
TIMES = {"date-time": "2024-07-30T14:45:00Z", "date": "2024-07-30", "uuid": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}
SCHEMA_REF = "#/components/schemas/"


# ---- text ----

def escape(text):
    return html.escape(str(text), quote=True)


def marked(text):
    """The two marks that descriptions use: **bold** and `code`."""
    out = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", out)


def paragraphs(text):
    return "".join(f"<p>{marked(p)}</p>" for p in (text or "").split("\n\n") if p)


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def as_json(value):
    return json.dumps(value, ensure_ascii=False, indent=2)


def listing(label, text):
    """What may be wider than the screen scrolls, by keyboard too."""
    return f'<pre tabindex="0" role="region" aria-label="{escape(label)}"><code>{escape(text)}</code></pre>'


def table(label, heads, rows):
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    body = "".join("<tr>" + f'<th scope="row">{row[0]}</th>' +
                   "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>" for row in rows)
    return (f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}"><table>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")


# ---- schemas ----

def limits(schema):
    """What a value has to keep to, in words."""
    words = []
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words.append(f"{low} to {high}")
    elif low is not None:
        words.append(f"from {low}")
    elif high is not None:
        words.append(f"to {high}")
    for least, most, unit in (("minLength", "maxLength", "characters"), ("minItems", "maxItems", "items"),
                              ("minProperties", "maxProperties", "members")):
        if least in schema and most in schema:
            words.append(f"{schema[least]} to {schema[most]} {unit}")
        elif most in schema:
            words.append(f"at most {schema[most]} {unit}")
        elif least in schema:
            words.append(f"at least {schema[least]} {unit}")
    if "pattern" in schema:
        words.append(f"<code>{escape(schema['pattern'])}</code>")
    return words


def kind(schema):
    """What a value may be, as HTML, with a link where it has a name."""
    ref = schema.get("$ref", "")
    if ref.startswith(SCHEMA_REF):
        name = ref[len(SCHEMA_REF):]
        return f'<a href="#schema-{slug(name)}">{escape(name)}</a>'
    choices = [c for key in ("anyOf", "oneOf") for c in schema.get(key, [])]
    if choices and all(set(c) <= {"format", "type"} for c in choices) and "type" in schema:
        return escape(" or ".join(c.get("format", c.get("type")) for c in choices))
    if choices:
        return " or ".join(kind(c) for c in choices)
    if "enum" in schema:
        return " | ".join(f"<code>{escape(json.dumps(v) if not isinstance(v, str) else v)}</code>"
                          for v in schema["enum"])
    types = schema.get("type", "any")
    words = escape(" or ".join(types) if isinstance(types, list) else types)
    if schema.get("type") == "array" and "items" in schema:
        words = "array of " + kind(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        words = "object of " + kind(schema["additionalProperties"])
    if "format" in schema:
        words += f", {escape(schema['format'])}"
    return words


def remarks(schema, description=None):
    parts = [marked(description or schema.get("description", ""))]
    words = limits(schema)
    if isinstance(schema.get("items"), dict):
        words += [f"each: {w}" for w in limits(schema["items"])]
    if words:
        said = "; ".join(words) + "."
        parts.append(said[0].upper() + said[1:])
    if "default" in schema:
        parts.append(f"Default <code>{escape(json.dumps(schema['default'], ensure_ascii=False))}</code>.")
    return " ".join(p for p in parts if p)


def sample_text(schema):
    text = TIMES.get(schema.get("format"), "https://example.com/" if "uri" in schema.get("format", "") else "text")
    return text.ljust(schema.get("minLength", 0), "x")


def sample(doc, schema, depth=0):
    """An example of what a schema describes: its own, or one that is made."""
    if "$ref" in schema:
        schema = {**doc.resolved(schema), **{k: v for k, v in schema.items() if k != "$ref"}}
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "default" in schema:
        return schema["default"]
    for key in ("anyOf", "oneOf"):
        if key in schema and "type" not in schema:
            return sample(doc, schema[key][0], depth)
    types = schema.get("type")
    one = types[0] if isinstance(types, list) else types
    if one == "object":
        members = schema.get("properties", {}) if depth < 6 else {}
        return {name: sample(doc, value, depth + 1) for name, value in members.items()}
    if one == "array":
        return [sample(doc, schema["items"], depth + 1)] if "items" in schema and depth < 6 else []
    if one in ("integer", "number"):
        return schema.get("minimum", 0)
    return {"boolean": True, "null": None, "string": sample_text(schema)}.get(one)


def members(schema):
    required = set(schema.get("required", []))
    return [(f"<code>{escape(name)}</code>", kind(value), "required" if name in required else "",
             remarks(value)) for name, value in schema.get("properties", {}).items()]


def schema_section(doc, name, schema):
    rows = table(f"Members of {name}", ("member", "type", "", ""), members(schema))
    what = "" if rows else f"<p>{kind(schema)}. {remarks(schema, ' ')}</p>"
    shown = listing(f"Example of {name}", as_json(sample(doc, schema))) if rows else ""
    return (f'<section class="schema" id="schema-{slug(name)}"><h3>{escape(name)}</h3>'
            f"{paragraphs(schema.get('description'))}{what}{rows}{shown}</section>")


# ---- operations ----

def callers(operation):
    if not operation["security"]:
        return "<p class=\"who\">Anybody; no key.</p>"
    scopes = sorted({s for one in operation["security"] for needed in one.values() for s in needed})
    names = {"apiKey": "key", "bearer": "token", "session": "session", "operator": "operator token"}
    said = ", ".join(dict.fromkeys(names[n] for one in operation["security"] for n in one))
    need = " with " + ", ".join(f"<code>{escape(s)}</code>" for s in scopes) if scopes else ""
    return f'<p class="who">{said}{need}</p>'


def parameters(doc, operation):
    rows = []
    for p in map(doc.resolved, operation.get("parameters", [])):
        schema = p["schema"]
        named = doc.resolved(schema)
        rows.append((f"<code>{escape(p['name'])}</code>", p["in"], kind(schema),
                     "required" if p.get("required") else "", remarks({**named, **schema}, p["description"])))
    rows = table("Parameters", ("parameter", "in", "type", "", ""), rows)
    return f"<h4>Parameters</h4>{rows}" if rows else ""


def body(doc, operation):
    if "requestBody" not in operation:
        return ""
    request = doc.resolved(operation["requestBody"])
    types = ", ".join(f"<code>{escape(t)}</code>" for t in request["content"])
    schema = next(iter(request["content"].values()))["schema"]
    may = "" if request.get("required") else "; may be left out"
    return (f"<h4>Body</h4><p>{kind(schema)} as {types}{may}. {marked(request.get('description', ''))}</p>"
            + table("Members of the body", ("member", "type", "", ""), members(doc.resolved(schema))))


def example(doc, method, path, operation):
    def filled(found):
        for p in map(doc.resolved, operation.get("parameters", [])):
            if p["in"] == "path" and p["name"] == found[1]:
                return str(sample(doc, p["schema"]))
        return found[0]
    line = ["curl" if method == "get" else f"curl -X {method.upper()}"]
    schemes = [name for one in operation["security"] for name in one]
    if "apiKey" in schemes:
        line.append("-H 'X-Api-Key: KEY'")
    elif "operator" in schemes:
        line.append("-H 'Authorization: Bearer OPERATOR-TOKEN'")
    if "requestBody" in operation:
        media, content = next(iter(doc.resolved(operation["requestBody"])["content"].items()))
        data = json.dumps(sample(doc, content["schema"]), ensure_ascii=False).replace("'", "'\\''")
        line += [f"-H 'Content-Type: {media}'", f"-d '{data}'"]
    line.append("http://localhost:8080" + re.sub(r"\{(\w+)\}", filled, path))
    return "<h4>Example</h4>" + listing("Example request", " \\\n    ".join(line))


def answer_row(doc, code, response):
    response = doc.resolved(response)
    content = "".join(f"<br>{kind(c['schema'])} as <code>{escape(t)}</code>"
                      for t, c in response.get("content", {}).items())
    headers = ", ".join(f"<code>{escape(h)}</code>" for h in response.get("headers", {}))
    return (code, marked(response["description"]) + content, headers)


def answers(doc, operation):
    """What is asked for stands open; what can go wrong is folded, as it is much the same everywhere."""
    rows = [answer_row(doc, code, r) for code, r in operation["responses"].items()]
    heads = ("status", "what it is", "headers")
    good = table("Answers", heads, [r for r in rows if r[0] < "400"])
    bad = [r for r in rows if r[0] >= "400"]
    out = f"<h4>Answers</h4>{good}"
    for code, response in operation["responses"].items():
        for media, content in doc.resolved(response).get("content", {}).items():
            if code < "300" and media == "application/json":
                out += listing(f"Example of a {code}", as_json(sample(doc, content["schema"])))
    if bad:
        codes = ", ".join(r[0] for r in bad)
        out += f"<details><summary>Errors: {codes}</summary>{table('Errors', heads, bad)}</details>"
    return out


def operation_section(doc, method, path, operation):
    name = operation["operationId"]
    return (f'<article id="{escape(name)}"><h3><span class="method {method}">{SHOWN_METHODS[method]}</span> '
            f'<span class="path">{escape(path).replace("/", "/<wbr>")}</span></h3>'
            f'<p class="summary">{marked(operation["summary"])}</p>'
            f"{callers(operation)}{paragraphs(operation.get('description'))}{parameters(doc, operation)}"
            f"{body(doc, operation)}{example(doc, method, path, operation)}{answers(doc, operation)}</article>")


# ---- the page ----

def by_tag(doc):
    found = {tag["name"]: [] for tag in doc.root["tags"]}
    for method, path, operation in doc.operations():
        found[operation["tags"][0]].append((method, path, operation))
    return [(tag, found[tag["name"]]) for tag in doc.root["tags"] if found[tag["name"]]]


def contents(doc):
    out = '<ul><li><a href="#start">Start</a></li></ul>'
    for tag, operations in by_tag(doc):
        rows = "".join(f'<li><a href="#{escape(o["operationId"])}"><span class="method {m}">{SHOWN_METHODS[m]}</span> '
                       f'{escape(o["summary"])}</a></li>' for m, _, o in operations)
        out += f'<h2><a href="#tag-{slug(tag["name"])}">{escape(tag["name"])}</a></h2><ul>{rows}</ul>'
    return out + '<h2><a href="#schemas">Schemas</a></h2>'


def schemes(doc):
    rows = []
    for name, scheme in doc.root["components"]["securitySchemes"].items():
        where = f"{scheme['in']} <code>{escape(scheme['name'])}</code>" if "name" in scheme else \
            "header <code>Authorization: Bearer</code>"
        rows.append((f"<code>{escape(name)}</code>", where, marked(scheme["description"])))
    return "<h3>Credentials</h3>" + table("Credentials", ("name", "where", ""), rows)


def used_schemas(doc):
    """Those that what is served refers to, directly or not."""
    text = json.dumps(doc.root["paths"])
    found, fresh = set(), {"Problem"}
    while fresh or text:
        fresh |= set(re.findall(r'"#/components/schemas/(\w+)"', text))
        for ref in re.findall(r'"#/components/((?:parameters|responses|headers)/\w+)"', text):
            fresh |= set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(doc.at("#/components/" + ref))))
        fresh -= found
        found |= fresh
        text = "".join(json.dumps(doc.root["components"]["schemas"][name]) for name in fresh)
        fresh = set()
    return [(n, s) for n, s in doc.root["components"]["schemas"].items() if n in found]


def page(doc, style):
    info = doc.root["info"]
    parts = "".join(
        f'<section id="tag-{slug(tag["name"])}"><h2>{escape(tag["name"])}</h2>{paragraphs(tag["description"])}'
        + "".join(operation_section(doc, *o) for o in operations) + "</section>" for tag, operations in by_tag(doc))
    schemas = "".join(schema_section(doc, name, schema) for name, schema in used_schemas(doc))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{style}</style></head><body>"
        '<a class="skip" href="#start">Skip to the text</a>'
        f'<header><a class="name" href="#start">{escape(info["title"])}</a> API {escape(info["version"])}'
        '<span class="links"><a href="openapi.json">openapi.json</a> <a href="./">Settings page</a></span></header>'
        f'<nav class="beside" aria-label="Contents">{contents(doc)}</nav>'
        f'<main><details class="above"><summary>Contents</summary><nav aria-label="Contents, folded">{contents(doc)}'
        f'</nav></details><section id="start" tabindex="-1"><h1>{escape(info["title"])} API</h1>'
        f'<p class="lead">{marked(info["summary"])}</p>{paragraphs(info["description"])}{schemes(doc)}</section>'
        f'{parts}<section id="schemas"><h2>Schemas</h2>{schemas}</section></main></body></html>\n')


def style_of(paths):
    """Comments and line breaks dropped: each byte is part of the hash and of every answer."""
    text = ""
    for path in paths:
        with open(path, encoding="utf-8") as f:
            text += f.read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return re.sub(r"\s*\n\s*", "", text)


def policy(style):
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'")


def embed(text, style):
    data = text.encode()
    small = gzip.compress(data, 9, mtime=0)
    tag = hashlib.sha256(data).hexdigest()[:32]
    return "".join([
        '/* Made by tools/docs_page.py out of openapi.json. */\n\n#include "api/docs.h"\n\n',
        *array("plain", data), *array("small", small),
        f'const struct page_file docs_page = {{"/docs", "text/html; charset=utf-8", "\\"{tag}\\"", plain,\n'
        "\tsizeof(plain), small, sizeof(small)};\n",
        f'const char docs_policy[] = "{policy(style)}";\n'])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--embed", metavar="OUT")
    what.add_argument("--html", metavar="OUT")
    parser.add_argument("--document", default=DOCUMENT)
    parser.add_argument("style", nargs="+")
    args = parser.parse_args()
    with open(args.document, encoding="utf-8") as f:
        doc = Document(f.read())
    doc.root = without_plans(doc.root)
    style = style_of(args.style)
    text = page(doc, style)
    with open(args.embed or args.html, "w", encoding="utf-8") as f:
        f.write(embed(text, style) if args.embed else text)


if __name__ == "__main__":
    main()
