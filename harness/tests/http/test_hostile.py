#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hostile kernel log or campaign can put into every text that HTTP gives back:
test_hostile.py KEXSECTD ENGINE PACK ROUTES"""
import html.parser
import json
import os
import re
import socket
import sqlite3
import sys
import unittest
import urllib.parse

from lab import API, Lab

HERE = os.path.dirname(os.path.abspath(__file__))
with open(HERE + "/engine.py", encoding="utf-8") as f:
    NASTY = re.search(r'NASTY = \((.*?)\)\n\n', f.read(), re.S).group(1)
NASTY = eval(f"({NASTY})")  # the engine's own
KINDS = {
    "markup, terminal codes, line ends, directions": NASTY.encode(),
    "no UTF-8": b"a\xff\xfe\xc0\xaf\xed\xa0\x80\xf8\x88\x80\x80\x80 \x9b31m z",
    "NUL": b"before\x00<script>after",
    "a line of 1 MB": b"<b>\x1b[1m" * (1 << 17),
    "what looks like JSON": b'"}],"error":{"code":"x"},"a":[{"b":"\\u0000\\ud800',
}


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab().start()
        cls.runs = []
        for i in range(len(KINDS)):
            cls.runs.append(cls.lab.wait(cls.lab.submit(f"h{i}", "trials=2 ms=1")[1]["campaign"]["id"], "done")["run"])

    @classmethod
    def tearDownClass(cls):
        cls.lab.end()

    def plain(self, url, status=200):
        """An answer in JSON (lab.ask has compared it with its schema) that no terminal and no page trips over."""
        r, data = self.lab.ask(url)
        self.assertEqual((url, r.status), (url, status))
        self.assertEqual(r.headers["Content-Type"], "application/json")
        self.assertRegex(data, rb"\A[\x20-\x7f]*\n\Z")
        return json.loads(data)

    def set(self, run, table, columns, value, where=""):
        sets = ", ".join(f"{c} = CAST(? AS TEXT)" for c in columns)
        self.lab.sql(f"UPDATE {table} SET {sets} WHERE {'id' if table == 'campaign' else 'campaign'} = "
                     f"(SELECT id FROM campaign WHERE slug = ?) {where}", *[value] * len(columns), run)

    def test_every_text_of_the_results(self):
        for (kind, value), run in zip(KINDS.items(), self.runs):
            with self.subTest(kind):
                self.lab.sql("INSERT INTO candidate (campaign, idx, kind, name, title, text, file, depends) SELECT id, 0, 'patch', "
                             "CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), '', 0 FROM campaign WHERE slug = ?",
                             value, value, value, run)
                self.set(run, "campaign", ["name", "digest", "title", "question", "state_reason"], value)
                self.set(run, "trial", ["build", "target", "purpose", "reason"], value)
                self.set(run, "verdict", ["why", "reason"], value)
                shown = value.split(b"\0")[0].decode("utf-8", "replace")
                o = self.plain(f"/api/v1/runs/{run}")["run"]
                for text in (o["title"], o["question"], o["reason"], o["digest"], o["candidates"][0]["name"],
                             o["candidates"][0]["title"], o["verdict"]["why"], o["verdict"]["reason"]):
                    self.same(text, shown)
                o = self.plain(f"/api/v1/runs/{run}/trials")["trials"]
                for text in (o[0]["reason"], o[0]["build"], o[0]["target"], o[1]["purpose"]):
                    self.same(text, shown)
                self.plain(f"/api/v1/runs/{run}/trials/1")
        self.plain("/api/v1/runs")

    def same(self, text, shown):
        """What is no UTF-8 became U+FFFD, as many as the library thinks right; the rest is as it was."""
        self.assertEqual(re.sub("\ufffd+", "?", text)[:2000], re.sub("\ufffd+", "?", shown)[:2000])

    def test_every_json_of_the_results(self):
        run = self.runs[0]
        for value in (json.dumps({NASTY: [NASTY, {NASTY: NASTY}]}).encode(), b'{"a":"\xff"}', b'"\\u0000"', b"[]", b"1e400", b'"x"',
                      b"[" * 900 + b"]" * 900):
            self.set(run, "trial", ["measures", "seconds"], value)
            r, data = self.lab.ask(f"/api/v1/runs/{run}/trials/1")
            self.assertIn(r.status, (200, 500), value)
            self.assertRegex(data, rb"\A[\x20-\x7f]*\n\Z")
        self.set(run, "trial", ["measures", "seconds"], b"null")

    def test_evidence(self):
        lab, run = self.lab, self.runs[0]
        folder = f"{lab.state}/results/campaigns/{run}/trials/1"
        lab.add_evidence(run, NASTY.encode() + b"\0\xff", ("trials/1/kmsg.log", "trials/1/page.html", "trials/1/x.svg", "trials/1/x.js"))
        names = [b"<img src=x onerror=alert(1)>.log", b"\x1b[2J.log", b"a\nSet-Cookie: a=b.log", "\u202egol.\u2028exe".encode(),
                 b"%2e%2e%2f.log", b"\"'&.log", b"back\\slash", b"\xff\xfe.log", b"javascript:alert(1)"]
        for name in names:
            with open(folder.encode() + b"/" + name, "wb") as f:
                f.write(b"x")
        for f in self.plain(f"/api/v1/runs/{run}/trials/1/files")["files"]:
            self.assertRegex(f["url"], r"\A/api/v1/runs/[A-Za-z0-9._/%~-]+\Z")
            r, data = lab.ask(f["url"])
            kind = "text/plain; charset=utf-8" if f["name"].endswith(".log") else "application/octet-stream"
            self.assertEqual((f["name"], r.status, r.headers["Content-Type"]), (f["name"], 200, kind))
            self.assertIn("sandbox", r.headers["Content-Security-Policy"])
        r, data = lab.ask(f"/api/v1/runs/{run}/files/trials/1/")
        tags = Tags()
        tags.feed(data.decode("utf-8"))
        self.assertEqual({t for t, _ in tags.found}, {"html", "meta", "title", "h1", "ul", "li", "a"})
        self.assertEqual({tuple(a) for t, a in tags.found if t == "a"}, {("href",)})
        self.assertNotRegex(data, rb"[\x00-\x09\x0b-\x1f\x9b]")
        for t, a in tags.found:
            if t == "a":
                self.assertRegex(urllib.parse.unquote(a["href"]), r"\A\.\.?/")

    def test_a_report_is_no_program(self):
        lab, run = self.lab, self.runs[1]
        lab.add_evidence(run, b"<script>fetch('/api/v1/campaigns')</script>", ("report.html",))
        csp = lab.ask(f"/api/v1/runs/{run}/files/report.html")[0].headers["Content-Security-Policy"]
        words = {d.split()[0]: d.split()[1:] for d in csp.split(";")}
        self.assertEqual((words["default-src"], words["sandbox"], "script-src" in words), (["'none'"], [], False))

    def test_the_queue_and_its_events(self):
        lab = Lab(engine=HERE + "/engine.py").start()
        with socket.create_connection(("127.0.0.1", lab.port), 30) as s:
            s.sendall(b"GET /api/v1/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
            n, said = lab.submit("h", "hostile=1")[1]["campaign"]["id"], b""
            while b'"state":"done"' not in said:
                said += s.recv(65536)
            while not said.endswith(b"\n\n"):
                said += s.recv(65536)
        head, _, body = said.partition(b"\r\n\r\n")
        self.assertNotIn(b"Set-Cookie", head)
        self.assertRegex(body, rb"\A[\x20-\x7f\n]*\Z")
        events = API.check_events(body)  # each is one line of JSON, and nothing else is there
        inner = [e["event"] for e in events]
        self.assertTrue(any(e.get("reason") == NASTY for e in inner))
        self.assertIn(NASTY, [e["event"] for e in inner])
        self.assertFalse(any("\0" in e.get("text", "") for e in inner))
        lab_, self.lab = self.lab, lab
        try:
            c = self.plain(f"/api/v1/campaigns/{n}")["campaign"]
            self.assertEqual((c["reason"], c["progress"]["leading"]["name"], c["verdict"]["sentence"]), (NASTY, NASTY, NASTY))
            self.assertEqual(c["progress"]["outcomes"], {"fault": 1})
            self.assertIn(NASTY, [j["text"] for j in self.plain("/api/v1/journal")["journal"]])
            self.plain("/api/v1/campaigns")
            self.plain("/api/v1/targets")
            s = [s for s in self.plain("/api/v1/summary")["submissions"] if s["id"] == n][0]
            self.assertEqual((s["verdict"]["sentence"], s["notes"]["verdict"]["text"]), (NASTY, NASTY))
            tags = Tags()
            tags.feed(lab.ask("/api/v1/summary?format=html")[1].decode("utf-8"))
            self.assertLessEqual({t for t, _ in tags.found}, {"html", "meta", "title", "style", "h1", "h2", "dl", "dt", "dd", "br", "code"})
            self.assertNotRegex(lab.ask("/api/v1/summary?format=md")[1], rb"[\x00-\x09\x0b-\x1f\x7f]")
            metrics = lab.ask("/metrics")[1].decode("ascii")
            for line in metrics.splitlines():
                self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[\w./-]+"(,\w+="[\w./-]+")*\})? -?\d+(\.\d+)?)$')
            self.assertNotIn("owned", metrics)
        finally:
            self.lab = lab_
            lab.end()

    def test_results_that_are_none(self):
        lab = Lab().start()
        file = lab.state + "/results/kexsect.db"
        paths = ["/api/v1/runs", "/api/v1/runs/a-1", "/api/v1/runs/a-1/belief", "/api/v1/runs/a-1/trials", "/api/v1/runs/a-1/trials/1",
                 "/api/v1/runs/a-1/trials/1/files", "/api/v1/runs/a-1/files/report.html"]

        def expect(first, others, code):
            for path in paths:
                status, o = lab.json(path)
                self.assertEqual((path, status), (path, first if path == paths[0] else others))
                if status != 200:
                    self.assertEqual(o["error"]["code"], code)

        expect(200, 404, "missing")  # none yet
        os.makedirs(lab.state + "/results", exist_ok=True)
        with open(file, "wb") as f:
            f.write(b"\x1b[2J no database" * 1000)
        expect(500, 500, "digest")
        os.remove(file)
        lab.wait(lab.submit("a")[1]["campaign"]["id"], "done")
        for path in paths[:-3]:
            self.assertEqual(lab.ask(path)[0].status, 200)
        lab.end()
        for version, status, code in ((1, 409, "refused"), (999, 409, "refused")):
            lab = Lab().start()
            os.makedirs(lab.state + "/results", exist_ok=True)
            db = sqlite3.connect(lab.state + "/results/kexsect.db")
            db.execute(f"PRAGMA application_id = {self.application_id()}")
            db.execute(f"PRAGMA user_version = {version}")
            db.commit()
            db.close()
            for path in paths:
                self.assertEqual((version, path, lab.json(path)[0]), (version, path, status))
                self.assertEqual(lab.json(path)[1]["error"]["code"], code)
            lab.end()

    def application_id(self):
        db = sqlite3.connect(self.lab.state + "/results/kexsect.db")
        try:
            return db.execute("PRAGMA application_id").fetchone()[0]
        finally:
            db.close()

    def test_what_a_campaign_says_of_itself(self):
        lab = self.lab
        packed = lab.campaign("title")
        for f in packed["files"]:
            if f["path"] == packed["campaign"]:
                f["text"] += f"title: {json.dumps(NASTY)}\nquestion: {json.dumps(NASTY)}\n"
        del packed["digest"]
        status, o = lab.json("/api/v1/campaigns", method="POST", role="operate", body=json.dumps({"snapshot": packed}),
                             headers={"Content-Type": "application/json"})
        self.assertIn(status, (201, 400))  # campaign files may refuse control characters
        if status == 201:
            self.plain(f"/api/v1/campaigns/{o['campaign']['id']}")
        for key in ("window", NASTY, "state"):
            status, o = lab.json("/api/v1/campaigns", method="POST", role="operate",
                                 body=json.dumps({"snapshot": packed, key: NASTY}), headers={"Content-Type": "application/json"})
            self.assertEqual(status, 400)
            self.assertRegex(o["error"]["message"], r"\A[\x20-\x7e]*\Z")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=1)
