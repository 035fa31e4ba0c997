#!/usr/bin/env python3
"""Writes what src/api/openapi.json says of query parameters and JSON bodies as tables, by which api/rules.c checks.

    api_rules.py OUT.c

A keyword that is not known here is an error: nothing that the document promises goes unchecked unnoticed.
"""
import json
import sys

from openapi import DOCUMENT, Document, without_plans

# Of no consequence for what is accepted.
WORDS = {"description", "examples", "default", "title"}
KNOWN = {"$ref", "type", "format", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
         "maxProperties", "properties", "required", "additionalProperties", "items", "anyOf", "x-read-only-members"}
TYPES = {"null": "RULE_NULL", "boolean": "RULE_BOOLEAN", "integer": "RULE_INTEGER", "string": "RULE_STRING",
         "array": "RULE_ARRAY", "object": "RULE_OBJECT"}
# uri: the model reads addresses by rules of its own.
FORMATS = {"uuid": "RULE_UUID", "date": "RULE_DATE", "date-time": "RULE_DATE_TIME", "uri": "RULE_NO_FORMAT"}
RANGES = {"integer": ("minimum", "maximum"), "string": ("minLength", "maxLength"), "array": ("minItems", "maxItems"),
          "object": ("minProperties", "maxProperties")}
# Call records are read by model/call_codec, which knows more of them than a schema can say.
READ_ELSEWHERE = {"#/components/schemas/CallInput"}


def quoted(text):
    return json.dumps(text, ensure_ascii=True)


class Tables:
    def __init__(self, doc):
        self.doc = doc
        self.lines = []
        self.made = {}
        self.names = {}

    def words(self, values):
        if not values:
            return "NULL"
        return self.array("const char *const", [quoted(v) for v in values] + ["NULL"])

    def array(self, kind, rows):
        text = ", ".join(rows)
        key = (kind, text)
        if key not in self.names:
            self.names[key] = f"part_{len(self.names)}"
            self.lines.append(f"static {kind} {self.names[key]}[] = {{{text}}};")
        return self.names[key]

    def flat(self, schema, where):
        """Without references and without anyOf, of which two forms are known: or null, and a date or a date-time."""
        schema = {**self.doc.resolved(schema), **{k: v for k, v in schema.items() if k != "$ref"}} \
            if "$ref" in schema else dict(schema)
        unknown = set(schema) - WORDS - KNOWN
        if unknown:
            raise SystemExit(f"api_rules.py: {where}: {', '.join(sorted(unknown))} is not known")
        choices = schema.pop("anyOf", None)
        if choices is None:
            return schema
        if choices == [{"format": "date"}, {"format": "date-time"}]:
            return {**schema, "format": "moment"}
        rest = [c for c in choices if c != {"type": "null"}]
        if len(rest) != 1 or len(choices) != 2:
            raise SystemExit(f"api_rules.py: {where}: this anyOf is not known")
        inner = self.flat(rest[0], where)
        kinds = inner["type"] if isinstance(inner["type"], list) else [inner["type"]]
        return {**inner, "type": kinds + ["null"]}

    def range_of(self, schema, where):
        kinds = [k for k in self.kinds(schema) if k in RANGES]
        given = {k for pair in RANGES.values() for k in pair} & set(schema)
        if not given:
            return "INT64_MIN", "INT64_MAX"
        low, high = RANGES[kinds[0]]
        if len(kinds) != 1 or given - {low, high}:
            raise SystemExit(f"api_rules.py: {where}: {given} does not fit the type")
        return str(schema.get(low, "INT64_MIN")), str(schema.get(high, "INT64_MAX"))

    @staticmethod
    def kinds(schema):
        return schema["type"] if isinstance(schema["type"], list) else [schema["type"]]

    def node(self, schema, where):
        """The name of the C object for a schema."""
        schema = self.flat(schema, where)
        low, high = self.range_of(schema, where)
        kind = schema.get("format")
        if kind is not None and kind != "moment" and kind not in FORMATS:
            raise SystemExit(f"api_rules.py: {where}: format {kind} is not known")
        values = schema.get("enum", [])
        fields = [".types = " + " | ".join(TYPES[k] for k in self.kinds(schema)),
                  ".format = " + ("RULE_MOMENT" if kind == "moment" else FORMATS.get(kind, "RULE_NO_FORMAT")),
                  f".min = {low}", f".max = {high}"]
        if values:
            fields.append(f".words = {self.words([v if isinstance(v, str) else json.dumps(v) for v in values])}")
        fields += self.inside(schema, where)
        text = "{" + ", ".join(fields) + "}"
        if text not in self.made:
            self.made[text] = f"node_{len(self.made)}"
            self.lines.append(f"static const struct rule {self.made[text]} = {text};")
        return self.made[text]

    def inside(self, schema, where):
        fields = []
        if "items" in schema:
            fields.append(f".each = &{self.node(schema['items'], where + '/items')}")
        others = schema.get("additionalProperties", True)
        if isinstance(others, dict):
            fields.append(f".each = &{self.node(others, where + '/*')}")
        if others is False:
            fields.append(".is_closed = true")
        rows = [f'{{{quoted(name)}, &{self.node(value, where + "/" + name)}, '
                f'{"true" if name in schema.get("required", []) else "false"}}}'
                for name, value in schema.get("properties", {}).items()]
        if rows:
            fields += [f".members = {self.array('const struct rule_member', rows)}", f".member_count = {len(rows)}"]
        if "x-read-only-members" in schema:
            fields.append(f".read_only = {self.words(schema['x-read-only-members'])}")
        return fields

    def operation(self, method, path, operation):
        where = f"{method.upper()} {path}"
        rows = []
        for p in map(self.doc.resolved, operation.get("parameters", [])):
            if p["in"] == "query":
                if p.get("required"):
                    raise SystemExit(f"api_rules.py: {where}: a query parameter that is required is not known")
                rows.append(f'{{{quoted(p["name"])}, &{self.node(p["schema"], where + "?" + p["name"])}, false}}')
        body = "NULL"
        for content in self.doc.resolved(operation.get("requestBody", {})).get("content", {}).values():
            if content["schema"].get("$ref") not in READ_ELSEWHERE:
                body = "&" + self.node(content["schema"], where)
        params = self.array("const struct rule_member", rows) if rows else "NULL"
        any_query = "true" if "x-any-query" in operation else "false"
        return (f'\t{{{quoted(method.upper())}, {quoted(path)}, {params}, {len(rows)}, {any_query}, {body}}},')


def main(argv):
    if len(argv) != 2:
        sys.exit(__doc__)
    with open(DOCUMENT, encoding="utf-8") as f:
        doc = Document(f.read())
    doc.root = without_plans(doc.root)
    tables = Tables(doc)
    rows = [tables.operation(*o) for o in doc.operations()]
    text = "\n".join(["/* Made by tools/api_rules.py out of openapi.json. */", '#include "api/rules.h"', "",
                      *tables.lines, "", "const struct rules api_rules[] = {", *rows, "};", "",
                      f"const size_t api_rules_count = {len(rows)};", ""])
    with open(argv[1], "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main(sys.argv)
