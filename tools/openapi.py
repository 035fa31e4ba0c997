#!/usr/bin/env python3
"""The API's description, src/api/openapi.json: keeps its form, checks that it is whole, makes what is built from it.

    openapi.py --format          writes the document in its one form, so that changes merge line by line
    openapi.py --check           says what is wrong with it, form included
    openapi.py --embed OUT.c     its bytes and its table of operations as C
"""
import argparse
import hashlib
import json
import os
import sys

DOCUMENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src", "api", "openapi.json")
WIDTH = 120
METHODS = ("get", "put", "post", "patch", "delete")


# ---- one form ----

def formatted(value, indent=0, used=0):
    """JSON with what fits into a line on one line, as `used` characters stand on it before."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or indent + used + len(flat) <= WIDTH and indent > 2:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, list):
        rows = [pad + formatted(v, indent + 2) for v in value]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    rows = []
    for key, v in value.items():
        name = json.dumps(key, ensure_ascii=False) + ": "
        rows.append(pad + name + formatted(v, indent + 2, len(name)))
    return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"


# ---- whole ----

class Document:
    def __init__(self, text):
        def once(pairs):
            made = {}
            for key, value in pairs:
                if key in made:
                    raise SystemExit(f"openapi.json: the key {key!r} is there twice in one object")
                made[key] = value
            return made
        self.text = text
        self.root = json.loads(text, object_pairs_hook=once)

    def at(self, ref):
        """What a reference points at."""
        if not ref.startswith("#/"):
            raise KeyError(ref)
        here = self.root
        for part in ref[2:].split("/"):
            here = here[part.replace("~1", "/").replace("~0", "~")]
        return here

    def resolved(self, value):
        while isinstance(value, dict) and "$ref" in value:
            value = self.at(value["$ref"])
        return value

    def operations(self):
        for path, item in self.root["paths"].items():
            for method, operation in item.items():
                yield method, path, operation


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for v in value.values():
            yield from references(v)
    elif isinstance(value, list):
        for v in value:
            yield from references(v)


def check_references(doc):
    seen = set(references(doc.root))
    for ref in sorted(seen):
        try:
            doc.at(ref)
        except KeyError:
            yield f"{ref} points at nothing"
    for kind in ("parameters", "headers", "responses", "schemas"):
        for name in doc.root["components"][kind]:
            if f"#/components/{kind}/{name}" not in seen:
                yield f"components/{kind}/{name} is used nowhere"


def check_operation(doc, method, path, operation):
    where = f"{method.upper()} {path}"
    if method not in METHODS:
        yield f"{where}: no such method"
    for key in ("operationId", "tags", "summary", "security", "responses"):
        if key not in operation:
            yield f"{where}: {key} is missing"
    parameters = [doc.resolved(p) for p in operation.get("parameters", [])]
    named = {p["name"] for p in parameters if p["in"] == "path"}
    braces = {part[1:-1] for part in path.split("/") if part.startswith("{")}
    if named != braces:
        yield f"{where}: path parameters {sorted(named)} for {sorted(braces)}"
    for p in parameters:
        if "schema" not in p or "description" not in p:
            yield f"{where}: parameter {p['name']} lacks a schema or a description"
    for scheme in operation.get("security", []):
        for name in scheme:
            if name not in doc.root["components"]["securitySchemes"]:
                yield f"{where}: security scheme {name} does not exist"
    for content in doc.resolved(operation.get("requestBody", {})).get("content", {}).values():
        schema = doc.resolved(content["schema"])
        if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
            yield f"{where}: the body is not a closed object"


def check(doc):
    yield from check_references(doc)
    ids = set()
    for method, path, operation in doc.operations():
        if operation.get("operationId") in ids:
            yield f"{method.upper()} {path}: operationId {operation['operationId']} is there twice"
        ids.add(operation.get("operationId"))
        yield from check_operation(doc, method, path, operation)
    if formatted(doc.root) + "\n" != doc.text:
        yield "not in its one form: run tools/openapi.py --format"


# ---- C ----

def c_bytes(data):
    """A string would be longer than C compilers have to take."""
    numbers = [str(b if b < 128 else b - 256) for b in data]
    return "{\n" + "".join(f"\t{', '.join(numbers[i:i + 24])},\n" for i in range(0, len(numbers), 24)) + "}"


def without_plans(root):
    """As it is served: only what can be called."""
    paths = {path: {method: o for method, o in item.items() if "x-planned" not in o}
             for path, item in root["paths"].items()}
    return {**root, "paths": {path: item for path, item in paths.items() if item}}


def compact(doc):
    return json.dumps(without_plans(doc.root), ensure_ascii=False, separators=(",", ":")).encode()


def embed(doc):
    served = compact(doc)
    tag = '\\"' + hashlib.sha256(served).hexdigest()[:32] + '\\"'
    return "\n".join([
        "/* Made by tools/openapi.py out of openapi.json. */",
        '#include "api/openapi.h"',
        "",
        f"const char openapi_text[] = {c_bytes(served)};",
        "const size_t openapi_text_len = sizeof(openapi_text);",
        f'const char openapi_etag[] = "{tag}";',
        ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--format", action="store_true")
    what.add_argument("--check", action="store_true")
    what.add_argument("--embed", metavar="OUT")
    parser.add_argument("--document", default=DOCUMENT)
    args = parser.parse_args()
    with open(args.document, encoding="utf-8") as f:
        doc = Document(f.read())
    if args.format:
        with open(args.document, "w", encoding="utf-8") as f:
            f.write(formatted(doc.root) + "\n")
        return
    problems = list(check(doc))
    for problem in problems:
        print(f"openapi.json: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    if args.embed:
        with open(args.embed, "w", encoding="utf-8") as f:
            f.write(embed(doc))


if __name__ == "__main__":
    main()
