#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/openapi.yaml and the daemon, each held to the other: test_api.py KEXSECTD ENGINE PACK ROUTES"""
import email.message
import json
import os
import re
import socket
import subprocess
import sys
import unittest

from api import Wrong
from jsonschema import Draft202012Validator
from lab import API, KEXSECTD, ROUTES, Lab

ROLES = {"": [{}], "read": [{}, {"token": ["read"]}, {"token": ["operate"]}, {"token": ["admin"]}],
         "operate": [{"token": ["operate"]}, {"token": ["admin"]}], "admin": [{"token": ["admin"]}]}
NAMES = {"#id": "{id}", "#trial": "{trial}", "$run": "{run}", "$target": "{target}", "*": "{path}"}


def refs(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for v in node.values():
            yield from refs(v)
    elif isinstance(node, list):
        for v in node:
            yield from refs(v)


class TheFile(unittest.TestCase):
    def test_it_names_the_routes_of_the_daemon_and_no_others(self):
        rows = [json.loads(x) for x in subprocess.check_output([ROUTES], text=True).splitlines()]
        theirs = {(r["method"], "/" + "/".join(NAMES.get(p, p) for p in r["path"].split("/"))): r for r in rows}
        ours = {(m, t): op for m, t, op in API.operations()}
        self.assertEqual(sorted(theirs), sorted(ours))
        for key, row in theirs.items():
            self.assertEqual((key, ours[key].get("security", API.doc["security"])), (key, ROLES[row["role"]]))
            query = {p["name"] for p in API.parameters(key[1], key[0]) if p["in"] == "query"}
            self.assertEqual((key, query), (key, set(row["query"].split())))

    def test_it_is_sound(self):
        doc, used = API.doc, set(refs(API.doc))
        self.assertEqual(doc["openapi"], "3.1.0")
        for ref in used:
            self.assertIsNotNone(API.at(ref))
        for kind, named in doc["components"].items():
            for name in named:
                if kind != "securitySchemes" and name != "Event":  # what streams carry is named in words
                    self.assertIn(f"#/components/{kind}/{name}", used)
        ids = [op["operationId"] for _, _, op in API.operations()]
        self.assertEqual(len(ids), len(set(ids)))
        for schema in doc["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)
        tags = {t["name"] for t in doc["tags"]}
        for method, template, op in API.operations():
            self.assertTrue(set(op["tags"]) <= tags)
            self.assertEqual({p["name"] for p in API.parameters(template, method) if p["in"] == "path"},
                             set(re.findall(r"\{(\w+)\}", template)))

    def test_its_examples_are_right(self):
        n = 0
        for _, template, op in API.operations():
            contents = [op.get("requestBody", {}).get("content", {})]
            contents += [API.resolve(r).get("content", {}) for r in op["responses"].values()]
            for content in contents:
                for body in content.values():
                    if "example" in body:
                        API.validate(body["schema"], body["example"], f"the example of {template}")
                        n += 1
        self.assertGreater(n, 20)

    def test_it_would_tell(self):
        """The check itself: what is not described fails."""
        h = email.message.Message()
        for name, value in (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
                            ("Cross-Origin-Resource-Policy", "same-origin"), ("Content-Type", "application/json"),
                            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
                            ("ETag", '"ab"'), ("Cache-Control", "private, no-cache")):
            h[name] = value
        good = {"targets": [{"name": "a", "slots": 1, "leases": [], "health": "ok", "failures": 0}]}
        API.check("GET", "/api/v1/targets", 200, h, json.dumps(good).encode())
        wrong = [dict(good, more=1), {"targets": [dict(good["targets"][0], more=1)]}, {"targets": [dict(good["targets"][0], slots="1")]},
                 {}, []]
        for body in wrong:
            with self.assertRaises(Wrong):
                API.check("GET", "/api/v1/targets", 200, h, json.dumps(body).encode())
        for name, value in (("ETag", None), ("X-Frame-Options", None), ("Content-Type", "text/html"), ("Set-Cookie", "a=b")):
            other = email.message.Message()
            for k, v in h.items():
                if k != name:
                    other[k] = v
            if value:
                other[name] = value
            with self.assertRaises(Wrong):
                API.check("GET", "/api/v1/targets", 200, other, json.dumps(good).encode())
        with self.assertRaises(Wrong):
            API.check("GET", "/api/v1/targets", 418, h, b"{}")


class TheDaemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab().start()
        number = cls.lab.submit("a")[1]["campaign"]["id"]
        run = cls.lab.wait(number, "done")["run"]
        cls.lab.add_evidence(run, b"text\n")
        cls.waiting = cls.lab.submit("b", "trials=5000 ms=50")[1]["campaign"]["id"]
        cls.values = {"{id}": str(number), "{run}": run, "{trial}": "1", "{target}": "t1"}

    @classmethod
    def tearDownClass(cls):
        cls.lab.end()

    def url(self, template):
        path = "icon.svg" if template.startswith("/page") else "trials/1/console.log"
        for name, value in dict(self.values, **{"{path}": path}).items():
            template = template.replace(name, value)
        return template

    def test_the_file_is_served_as_it_is(self):
        self.assertEqual(self.lab.ask("/api/v1/openapi.yaml")[1].decode(), API.text)

    def test_every_path_answers_as_described(self):
        """lab.ask() compares each answer with the file; here is what is asked."""
        lab = self.lab
        for method, template, op in API.operations():
            url = self.url(template)
            open_to = op.get("security", API.doc["security"])
            nobody = {} in open_to
            for status, more in ((405, {"method": "PATCH"}), (401, {"headers": {"Authorization": "Bearer x"}}),
                                 (401, {"headers": {"Authorization": "Digest x"}}),
                                 (403, {"headers": {"Sec-Fetch-Site": "cross-site"}}), (403, {"headers": {"Origin": "http://x"}}),
                                 (421, {"headers": {"Host": "evil.example"}}), (400, {"path": url + "?unknown=1"}),
                                 (404, {"path": url + "/nothing%00"})):
                more = dict({"path": url, "method": method, "role": "admin" if "headers" not in more else None}, **more)
                if status == 404 and template == "/":
                    continue
                self.assertEqual((template, more, lab.ask(**more)[0].status), (template, more, status))
            if method == "GET":
                self.reads(url, template, open_to)
            else:
                self.assertEqual(lab.ask(url, method=method)[0].status, 401)
                for role, allowed in (("read", False), ("operate", [{"token": ["admin"]}] != open_to), ("admin", True)):
                    if not allowed:
                        self.assertEqual((url, role, lab.ask(url, method=method, role=role)[0].status), (url, role, 403))
            if nobody and template != "/api/v1/events":
                self.assertEqual((url, lab.ask(url)[0].status), (url, 200))

    def reads(self, url, template, open_to):
        lab = self.lab
        self.assertEqual((url, lab.ask(url, body="x")[0].status), (url, 413))
        if template == "/api/v1/events":
            r, _ = lab.ask(url, method="HEAD")
            self.assertEqual(r.status, 200)
            return
        for role in ("read", "operate", "admin"):
            r, data = lab.ask(url, role=role)
            self.assertEqual((url, role, r.status), (url, role, 200))
        head, nothing = lab.ask(url, method="HEAD")
        self.assertEqual((url, head.status, nothing), (url, 200, b""))
        if template not in ("/metrics", "/api/v1/campaigns", "/api/v1/targets", "/api/v1/journal", "/api/v1/summary"):  # these may have moved on
            self.assertEqual((url, head.headers["ETag"], head.headers["Content-Length"]),
                             (url, r.headers["ETag"], r.headers["Content-Length"]))
            again, nothing = lab.ask(url, headers={"If-None-Match": f'"other", W/{r.headers["ETag"]}'})
            self.assertEqual((url, again.status, nothing), (url, 304, b""))

    def test_parameters_at_their_limits(self):
        lab = self.lab
        for method, template, _ in API.operations():
            if method != "GET" or template == "/api/v1/events":
                continue
            for p in API.parameters(template, method):
                schema = API.resolve(p["schema"])
                if p["in"] != "query" or schema.get("type") != "integer":
                    continue
                url = self.url(template) + f"?{p['name']}="
                for status, value in ((200, schema["minimum"]), (200, schema["maximum"]), (400, schema["minimum"] - 1),
                                      (400, schema["maximum"] + 1), (400, ""), (400, "1.0"), (400, "%31"), (400, "0x1"),
                                      (400, "+1"), (400, f"1&{p['name']}=1"), (400, "1;2"), (400, "1" * 50)):
                    self.assertEqual((url, value, lab.ask(url + str(value))[0].status), (url, value, status))
        for state in API.doc["components"]["schemas"]["StoredState"]["enum"]:
            self.assertEqual(lab.ask(f"/api/v1/campaigns?state={state}")[0].status, 200)

    def test_a_change_is_not_cached(self):
        r, _ = self.lab.ask(f"/api/v1/campaigns/{self.waiting}/resume", method="POST", role="operate", headers={"If-None-Match": "*"})
        self.assertEqual((r.status, r.headers["ETag"]), (200, None))

    def test_what_a_submission_may_be(self):
        """What the file's schema refuses, the daemon refuses too; and it never fails over one."""
        lab = self.lab
        good = {"snapshot": lab.campaign("c")}
        schema = API.doc["components"]["schemas"]["Submission"]
        for change in ({"priority": 101}, {"priority": "1"}, {"priority": 1.5}, {"hours": 0}, {"hours": True}, {"boots": 0},
                       {"boots": 1e3}, {"window": "22-7"}, {"window": None}, {"again": "yes"}, {"more": 1}, {"preflight": 1}, {"disk_gib": 0}, {"snapshot": []},
                       {"snapshot": {}}, {"snapshot": None}, {"snapshot": dict(good["snapshot"], files=[])},
                       {"snapshot": dict(good["snapshot"], files=[{"path": "x", "text": ""}])},
                       {"snapshot": dict(good["snapshot"], files=[{"path": "/x"}])},
                       {"snapshot": dict(good["snapshot"], data=1)}):
            body = dict(good, **change)
            if "more" in change or not (isinstance(change.get("boots"), float)):
                self.assertFalse(API.validator(schema).is_valid(body), change)
            status, o = self.post(body)
            self.assertEqual((change, status), (change, 400), o)
        API.validate(schema, good, "a submission")
        for change in ({"digest": "0" * 64}, {"campaign": good["snapshot"]["files"][-1]["path"]}, {"data": "/nowhere"},
                       {"files": [f for f in good["snapshot"]["files"] if f["path"] == good["snapshot"]["campaign"]]}):
            status, o = self.post({"snapshot": dict(good["snapshot"], **change)})
            self.assertEqual((list(change), status), (list(change), 400), o)

    def post(self, body):
        return self.lab.json("/api/v1/campaigns", method="POST", role="operate", body=json.dumps(body),
                             headers={"Content-Type": "application/json"})

    def test_events_are_as_described(self):
        lab = self.lab
        with socket.create_connection(("127.0.0.1", lab.port), 30) as s:
            s.sendall(b"GET /api/v1/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
            n, said = lab.submit("live", "trials=2 ms=20")[1]["campaign"]["id"], b""
            while f'"submission":{n}'.encode() not in said:
                said += s.recv(65536)
        head, _, body = said.partition(b"\r\n\r\n")
        API.check_headers({"headers": {}}, email.message_from_bytes(head.partition(b"\r\n")[2]), "events")
        self.assertTrue(API.check_events(body))

    def test_links_of_a_report_lead_somewhere(self):
        lab, run = self.lab, self.values["{run}"]
        at = f"/api/v1/runs/{run}/files/"
        report = f"{lab.state}/results/campaigns/{run}/report.html"
        subprocess.run([os.path.join(os.path.dirname(KEXSECTD), "kexsect"), "report", run, "--results", lab.state + "/results",
                        "--format", "html", "-o", report], check=True)
        with open(report, "a") as f:
            f.write('<a href="./trials/1/console.log">log</a>')
        odd = "<i>&\"'%2e x;ü#?"
        with open(f"{lab.state}/results/campaigns/{run}/trials/1/{odd}", "w") as f:
            f.write("odd")
        os.makedirs(f"{lab.state}/results/campaigns/{run}/trials/1/.hidden", exist_ok=True)
        todo, done = [at + "report.html"], {}
        while todo:
            url = todo.pop()
            r, data = lab.ask(url, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
            self.assertEqual((url, r.status), (url, 200))
            done[url] = r.headers["Content-Type"]
            if "html" in done[url]:
                self.assertIn("sandbox", r.headers["Content-Security-Policy"])
                self.assertNotIn(b"<i>", data)
                hrefs = [h for h in re.findall(r'href="([^"]*)"', data.decode()) if not h.startswith("#")]
                self.assertTrue(hrefs)
                for href in hrefs:
                    path = os.path.normpath(os.path.join(os.path.dirname(url), href)) + ("/" if href.endswith("/") else "")
                    self.assertTrue(path.startswith(at), href)
                    if path not in done:
                        todo.append(path)
        self.assertEqual(sorted(d[len(at):] for d in done if "odd" not in d and "%" not in d),
                         ["report.html", "trials/", "trials/1/", "trials/1/acpi/", "trials/1/console.log", "trials/1/x.html"])
        self.assertEqual(len(done), 7)
        self.assertEqual(lab.ask(at + "trials/1/console.log/")[0].status, 404)
        self.assertEqual(lab.ask(at + "trials/etc/")[0].status, 404)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=1)
