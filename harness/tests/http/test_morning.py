#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person wants to see in the morning: the summary, who was told what, the verdicts of the runs.
test_morning.py KEXSECTD ENGINE PACK ROUTES"""
import concurrent.futures
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from lab import API, KEXSECTD, Lab

SECRET = "T0000SECRET"
MAIL = "alice@mail.example"


def kexsect(lab, *words):
    return subprocess.run([os.path.join(os.path.dirname(KEXSECTD), "kexsect"), *words, "--socket", lab.state + "/socket"], text=True,
                          check=True, stdout=subprocess.PIPE).stdout


def still(doc):
    """A summary without what moves while it is made."""
    return {k: v for k, v in doc.items() if k not in ("since_us", "until_us", "disks")}


class Summary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab().start()
        for i in range(3):
            number = cls.lab.submit(f"m{i}", "trials=4 ms=5")[1]["campaign"]["id"]
            cls.lab.wait(number, "done")

    @classmethod
    def tearDownClass(cls):
        cls.lab.end()

    def test_it_is_what_the_command_says(self):
        lab = self.lab
        for since in ("12h", "2026-01-01", "0m"):
            status, doc = lab.json(f"/api/v1/summary?since={since}", role="read")
            self.assertEqual(status, 200)
            self.assertEqual(still(doc), still(json.loads(kexsect(lab, "summary", "--json", "--since", since))))
            self.assertEqual(doc["work"]["boots"], 0 if since == "0m" else 12)
        doc = lab.json("/api/v1/summary")[1]
        self.assertEqual(doc["until_us"] - doc["since_us"] < 12.01 * 3600e6, True)
        self.assertEqual([(s["name"], s["verdict"]["sentence"], s["work"]["boots"]) for s in doc["submissions"]],
                         [(f"m{i}", "it cures the fault", 4) for i in range(3)])
        for name in ("md", "html"):
            r, data = lab.ask(f"/api/v1/summary?format={name}")
            self.assertEqual(r.status, 200)
            self.assertIn("it cures the fault", data.decode())
            self.assertNotIn("script-src", r.headers["Content-Security-Policy"])
        self.assertRegex(lab.ask("/api/v1/summary")[1], rb"\A[\x20-\x7f]*\n\Z")

    def test_a_moment_that_is_none(self):
        said = os.path.getsize(self.lab.dir + "/log")
        for since in ("yesterday", "25:00", "-3h", "3", "1e3h", "--help", "9999999h"):
            status, o = self.lab.json(f"/api/v1/summary?since={since}")
            self.assertEqual((since, status, o["error"]["code"]), (since, 400, "input"))
        for query in ("since=", "since=1%68", "since=1h&since=1h", "since=" + "1" * 41, "format=text", "format=", "until=1h", "since=$(id)"):
            self.assertEqual((query, self.lab.ask(f"/api/v1/summary?{query}")[0].status), (query, 400))
        self.assertEqual(os.path.getsize(self.lab.dir + "/log"), said, "a reader fills the log")

    def test_many_at_once(self):
        lab = self.lab
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            same = list(pool.map(lambda _: lab.ask("/api/v1/summary?since=3d")[0].status, range(24)))
            self.assertEqual(set(same), {200})
            others = list(pool.map(lambda i: lab.ask(f"/api/v1/summary?since={i + 1}h")[0].status, range(24)))
            self.assertLessEqual(set(others), {200, 503})
            self.assertIn(200, others)
        self.assertEqual(lab.ask("/api/v1/summary")[0].status, 200)

    def test_who_goes_before_it_is_made(self):
        lab = self.lab
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", lab.port), 5) as s:
                s.sendall(b"GET /api/v1/summary?since=2d HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with socket.socket(socket.AF_UNIX) as s:  # the same by the socket
            s.connect(lab.state + "/socket")
            s.sendall(b'{"v":1,"do":"summary","since_us":0}\n' * 5)
        self.assertEqual(lab.ask("/api/v1/summary?since=2d")[0].status, 200)

    def test_one_connection_many_requests(self):
        """Answers keep their order, also when one comes later."""
        with socket.create_connection(("127.0.0.1", self.lab.port), 30) as s:
            s.sendall(b"GET /api/v1/summary?format=md HTTP/1.1\r\nHost: localhost\r\n\r\n"
                      b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            said = b""
            while chunk := s.recv(65536):
                said += chunk
        self.assertLess(said.index(b"## Verdicts"), said.index(b'{"status":"ok"}'))

    def test_the_daemon_ends_meanwhile(self):
        lab = Lab().start()
        readers = [socket.create_connection(("127.0.0.1", lab.port), 5) for _ in range(4)]
        for i, s in enumerate(readers):
            s.sendall(b"GET /api/v1/summary?since=%dh HTTP/1.1\r\nHost: localhost\r\n\r\n" % (i + 1))
        lab.end()
        for s in readers:
            s.close()


class Runs(unittest.TestCase):
    def test_their_verdicts(self):
        lab = Lab().start()
        runs = [lab.wait(lab.submit(f"v{i}", "trials=1 ms=1")[1]["campaign"]["id"], "done")["run"] for i in range(7)]
        slow = lab.submit("slow", "trials=9000 ms=50")[1]["campaign"]["id"]
        lab.wait_until(lambda: lab.json(f"/api/v1/campaigns/{slow}")[1]["campaign"].get("run"), "it has a run")
        cases = [("cause", {"sentence": "a + b cures the fault"}, "a + b cures the fault"),
                 ("none", {}, "why"), ("cause", ["x"], "why"), ("cause", {"sentence": [1, {}]}, "why"), ("cause", {"sentence": 3}, "why"),
                 ("cause", {"sentence": None}, "why"), ("cause", {"sentence": ""}, "")]
        for run, (kind, details, _) in zip(runs, cases):
            lab.sql("UPDATE verdict SET kind = ?, reason = 'why', details = ? WHERE campaign = (SELECT id FROM campaign WHERE slug = ?)",
                    kind, json.dumps(details), run)
        listed = {r["run"]: r for r in lab.json("/api/v1/runs")[1]["runs"]}
        self.assertEqual([listed[r]["verdict"]["sentence"] for r in runs], [c[2] for c in cases])
        self.assertEqual((listed["slow-1"]["verdict"], listed["slow-1"]["state"]), (None, "running"))
        for run in runs:
            self.assertEqual(lab.json(f"/api/v1/runs/{run}")[1]["run"]["verdict"], listed[run]["verdict"])
        at = "campaign = (SELECT id FROM campaign WHERE slug = ?)"
        lab.sql(f"UPDATE verdict SET reason = ?, kind = 'none' WHERE {at}", "\u00fc" * 100000, runs[1])
        lab.sql(f"UPDATE verdict SET details = ? WHERE {at}", json.dumps({"sentence": "n" * 100000}), runs[2])
        lab.sql(f"UPDATE verdict SET details = ? WHERE {at}", json.dumps({"sentence": "n" * 60000}), runs[3])
        r, data = lab.ask("/api/v1/runs")
        listed = {r["run"]: r["verdict"] for r in json.loads(data)["runs"]}
        self.assertEqual(len(listed[runs[3]]["sentence"]), 1000)
        self.assertEqual({len(listed[runs[1]][k]) for k in ("sentence", "reason")}, {1000})
        self.assertEqual(listed[runs[2]]["sentence"], "why", "details that are too long for a list")
        self.assertLess(len(data), 30000)
        self.assertEqual([len(lab.json(f"/api/v1/runs?limit=3&before={b}")[1]["runs"]) for b in (99, 5, 2)], [3, 3, 1])
        lab.end()


class Notices(unittest.TestCase):
    def setUp(self):
        outer = self
        self.taken, self.status = 0, 500

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(outer.status)
                said = b"" if outer.status == 204 else f"<b> {self.path} is none of mine, {self.path.split('/')[-1]}".encode()
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
                outer.taken += 1

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def notices(self, lab):
        return lab.json("/api/v1/notices?limit=200", role="read")[1]["notices"]

    def test_who_was_told_what(self):
        port = self.server.server_address[1]
        lab = Lab("notify:\n"
                  f"  - {{name: team, webhook: 'http://127.0.0.1:{port}/hook/{SECRET}', kinds: [verdict, submitted]}}\n"
                  f"  - {{name: alice, mail: [{MAIL}], from: k@lab.example, smtp: 'smtp://127.0.0.1:1', kinds: [verdict]}}\n").start()
        lab.wait(lab.submit("told", "trials=1 ms=1")[1]["campaign"]["id"], "done")
        lab.wait_until(lambda: self.taken > 1, "an attempt")
        lab.wait_until(lambda: any(n["attempts"] and n["detail"] for n in self.notices(lab) if n["receiver"] == "alice"), "an attempt by mail")
        r, data = lab.ask("/api/v1/notices", role="read")
        o = json.loads(data)
        self.assertEqual({(n["receiver"], n["type"], n["about"]) for n in o["notices"]},
                         {("team", "submitted", "told: told was submitted by operate"), ("team", "verdict", "told: it cures the fault"),
                          ("alice", "verdict", "told: it cures the fault")}, o)
        self.assertEqual({n["state"] for n in o["notices"]} - {"pending", "sending"}, set())
        self.assertEqual([(x["name"], x["way"]) for x in o["receivers"]], [("team", "webhook"), ("alice", "mail")])
        self.assertIn("is none of mine", data.decode())
        for hidden in (SECRET, MAIL, "smtp:"):
            self.assertNotIn(hidden, data.decode())
            self.assertNotIn(hidden, lab.ask("/api/v1/journal")[1].decode())
            self.assertNotIn(hidden, lab.ask("/api/v1/summary")[1].decode())
        self.status = 204
        lab.wait_until(lambda: [n["state"] for n in self.notices(lab) if n["receiver"] == "team"] == ["sent"] * 2, "they are sent", 60)
        doc = lab.json("/api/v1/summary")[1]
        self.assertEqual(doc["notices"]["pending"], 1)
        page = lab.json("/api/v1/notices?limit=1")[1]
        seen = [n["id"] for n in page["notices"]]
        while page["next"]:
            page = lab.json(f"/api/v1/notices?limit=1&before={page['next']}")[1]
            seen += [n["id"] for n in page["notices"]]
        self.assertEqual(seen, sorted((n["id"] for n in o["notices"]), reverse=True))
        lab.end()


if __name__ == "__main__":
    unittest.main(argv=["test_morning.py"], verbosity=1)
