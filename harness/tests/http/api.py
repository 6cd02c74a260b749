# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds answers to docs/openapi.yaml."""
import json
import os
import re
import urllib.parse

import yaml
from jsonschema import Draft202012Validator

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docs/openapi.yaml")
METHODS = ("get", "post", "put", "delete", "patch")
# on every answer, whatever it is
ALWAYS = {
    "X-Content-Type-Options": r"^nosniff$",
    "X-Frame-Options": r"^DENY$",
    "Referrer-Policy": r"^no-referrer$",
    "Cross-Origin-Resource-Policy": r"^same-origin$",
    "Content-Security-Policy": r"^default-src 'none'; .*frame-ancestors 'none'",
}
TRANSPORT = {"date", "connection", "content-length", "content-type", "transfer-encoding"}
# what an error's status means
CODES = {400: {"input", "missing", "digest"}, 401: {"refused"}, 403: {"refused"}, 404: {"missing"}, 405: {"input"},
         409: {"refused"}, 411: {"input"}, 413: {"input"}, 415: {"input"}, 421: {"refused"}, 500: {"failed", "digest"},
         503: {"busy"}, 504: {"timeout"}, 507: {"no_space"}}
# of what is no path of the file
NOWHERE = {400, 401, 403, 404, 421}


class Wrong(AssertionError):
    pass


class Api:
    def __init__(self, path=FILE):
        with open(path, encoding="utf-8") as f:
            self.text = f.read()
        self.doc = yaml.safe_load(self.text)
        self.validators = {}
        self.seen = set()  # (method, template, status)
        # {path} takes what is left, other parameters one name
        self.templates = [(t, re.compile("^" + "".join(
            "(?P<path>.+)" if p == "{path}" else f"(?P<{p[1:-1]}>[^/]+)" if p.startswith("{") else re.escape(p)
            for p in re.split(r"(\{[^}]+\})", t)) + "$")) for t in self.doc["paths"]]
        self.templates.sort(key=lambda t: t[0].count("{"))

    def at(self, ref):
        node = self.doc
        for name in ref.removeprefix("#/").split("/"):
            node = node[name]
        return node

    def resolve(self, node):
        while isinstance(node, dict) and set(node) == {"$ref"}:
            node = self.at(node["$ref"])
        return node

    def validator(self, schema):
        v = self.validators.get(id(schema))
        if not v:
            whole = {"$ref": "#/schema", "schema": schema, "components": self.doc["components"]}
            v = self.validators[id(schema)] = Draft202012Validator(whole)
        return v

    def validate(self, schema, value, what):
        for e in self.validator(schema).iter_errors(value):
            raise Wrong(f"{what}: {'/'.join(map(str, e.absolute_path))}: {e.message[:300]}")

    def find(self, target):
        path = target.partition("?")[0]
        for template, pattern in self.templates:
            m = pattern.match(path)
            if m and all(self.fits(template, n, v) for n, v in m.groupdict().items()):
                return template
        return None

    def fits(self, template, name, value):
        """Whether a value can be this parameter of a path."""
        item = self.doc["paths"][template]
        everywhere = item.get("parameters", []) + [p for m in METHODS if m in item for p in item[m].get("parameters", [])]
        schema = [self.resolve(p)["schema"] for p in everywhere if self.resolve(p)["name"] == name][0]
        value = urllib.parse.unquote(value)
        if schema["type"] == "integer":
            if not re.fullmatch("[0-9]{1,30}", value):
                return False
            value = int(value)
        return self.validator(schema).is_valid(value)

    def operations(self):
        for template, item in self.doc["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), template, item[method]

    def parameters(self, template, method):
        item = self.doc["paths"][template]
        return [self.resolve(p) for p in item.get("parameters", []) + item[method.lower()].get("parameters", [])]

    def response(self, method, template, status):
        item = self.doc["paths"].get(template, {})
        op = item.get("get" if method == "HEAD" else method.lower())
        if op:
            return self.resolve(op["responses"].get(str(status)))
        if template and status == 405 or status in NOWHERE:
            return {"headers": self.resolve(self.doc["components"]["responses"]["Method"])["headers"] if status == 405 else {},
                    "content": {"application/json": {"schema": self.at("#/components/schemas/Error")}}}
        return None

    def check(self, method, target, status, headers, body):
        """`headers`: an email.message.Message; raises Wrong."""
        template = self.find(target)
        what = f"{method} {target[:200]} gave {status}"
        r = self.response(method, template, status)
        if r is None:
            raise Wrong(f"{what}: {template} has no such answer")
        self.check_headers(r, headers, what)
        self.check_body(r, method, status, headers, body, what)
        self.seen.add((method, template, status))

    def check_headers(self, r, headers, what):
        documented = {n.lower() for n in r.get("headers", {})}
        for name, pattern in ALWAYS.items():
            if headers.get_all(name, []) == [] or not all(re.search(pattern, v) for v in headers.get_all(name)):
                raise Wrong(f"{what}: the header {name} is {headers.get_all(name)}")
        for name, header in r.get("headers", {}).items():
            header, value = self.resolve(header), headers.get(name)
            if value is None and header.get("required"):
                raise Wrong(f"{what}: the header {name} is missing")
            if value is not None:
                self.validate(header["schema"], value, f"{what}: the header {name}")
        known = documented | {n.lower() for n in ALWAYS} | TRANSPORT | {"cache-control", "www-authenticate", "allow"}
        for name in headers:
            if name.lower() not in known:
                raise Wrong(f"{what}: nobody knows the header {name}")

    def check_body(self, r, method, status, headers, body, what):
        content, kind = r.get("content"), headers.get("Content-Type")
        if not content:
            if body:
                raise Wrong(f"{what}: there is a body")
            return
        if kind not in content:
            raise Wrong(f"{what}: the content type is {kind}")
        if method == "HEAD":
            if body:
                raise Wrong(f"{what}: there is a body")
            return
        if kind == "application/json":
            try:
                value = json.loads(body.decode("utf-8"))
            except ValueError as e:
                raise Wrong(f"{what}: no JSON: {e}") from e
            self.validate(content[kind]["schema"], value, what)
            if status >= 400 and "error" in value and value["error"]["code"] not in CODES[status]:
                raise Wrong(f"{what}: the code is {value['error']['code']}")

    def check_events(self, text):
        """What came of a stream of events; returns them."""
        events = []
        for block in text.decode("utf-8").split("\n\n")[:-1]:
            if block.startswith("data: "):
                events.append(json.loads(block[6:]))
                self.validate(self.at("#/components/schemas/Event"), events[-1], "an event")
                if "\n" in block:
                    raise Wrong(f"an event has lines: {block[:200]}")
            elif not re.fullmatch(r"(: alive|retry: [0-9]+)", block):
                raise Wrong(f"this is no event: {block[:200]!r}")
        return events
