#!/usr/bin/env python3
"""check_schema.py SCHEMA REPORT...: the reports follow the schema, and hold no key that it does not
know (readers must ignore such keys, we must document them). Exit status 77: no python3-jsonschema."""
import json
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("python3-jsonschema is not installed", file=sys.stderr)
    sys.exit(77)


def close(node):
    """Forbids unknown keys everywhere."""
    if isinstance(node, dict):
        if "properties" in node and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        for value in node.values():
            close(value)
    elif isinstance(node, list):
        for value in node:
            close(value)


with open(sys.argv[1], encoding="utf-8") as f:
    schema = json.load(f)
Draft202012Validator.check_schema(schema)
close(schema)
bad = 0
for path in sys.argv[2:]:
    with open(path, encoding="utf-8") as f:
        report = json.load(f)
    for error in Draft202012Validator(schema).iter_errors(report):
        where = ".".join(str(p) for p in error.absolute_path)
        print(f"{path}: {where}: {error.message[:300]}")
        bad = 1
sys.exit(bad)
