#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks and attacks a real kexsectd over HTTP: test_http.py KEXSECTD ENGINE PACK ROUTES"""
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import unittest

from lab import Lab, make_certificate, read


class Loopback(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab().start()

    @classmethod
    def tearDownClass(cls):
        cls.lab.end()

    def test_a_campaign_from_submission_to_files(self):
        lab = self.lab
        status, o = lab.submit("a")
        self.assertEqual((status, o["campaign"]["name"], o["campaign"]["owner"]), (201, "a", "operate"))
        number = o["campaign"]["id"]
        run = lab.wait(number, "done")["run"]
        status, o = lab.json("/api/v1/campaigns?limit=1")
        self.assertEqual((status, o["campaigns"][0]["id"], o["next"]), (200, number, number))
        self.assertEqual(lab.json(f"/api/v1/campaigns?before={number}&state=done")[1]["campaigns"][:1], [])
        status, o = lab.json("/api/v1/runs")
        self.assertEqual((status, o["runs"][0]["run"], o["next"]), (200, run, None))
        self.assertEqual(lab.json(f"/api/v1/runs/{run}")[1]["run"]["verdict"]["kind"], "cause")
        status, o = lab.json(f"/api/v1/runs/{run}/trials?limit=2")
        self.assertEqual(([t["number"] for t in o["trials"]], o["next"]), ([1, 2], 2))
        status, o = lab.json(f"/api/v1/runs/{run}/trials?after=2")
        self.assertEqual(([t["number"] for t in o["trials"]], o["next"]), ([3], None))
        self.assertEqual(lab.json(f"/api/v1/runs/{run}/trials/4")[0], 404)
        self.files(run)

    def files(self, run):
        lab = self.lab
        text = b"<script>alert(1)</script>\x1b[2J\n" + b"x" * 100000
        lab.add_evidence(run, text)
        status, o = lab.json(f"/api/v1/runs/{run}/trials/1")
        self.assertEqual(status, 200)
        status, o = lab.json(o["trial"]["files"])
        self.assertEqual(sorted(f["name"] for f in o["files"]), ["console.log", "x.html"])
        at = [f["url"] for f in o["files"] if f["name"] == "console.log"][0]
        r, data = lab.ask(at)
        self.assertEqual((r.status, data, r.headers["Content-Type"], r.headers["X-Content-Type-Options"]),
                         (200, text, "text/plain; charset=utf-8", "nosniff"))
        self.assertIn("sandbox", r.headers["Content-Security-Policy"])
        self.assertEqual(lab.ask(at, headers={"If-None-Match": r.headers["ETag"]})[0].status, 304)
        for what, status, want in (("bytes=0-9", 206, text[:10]), ("bytes=-5", 206, text[-5:]),
                                   ("bytes=100000-", 206, text[100000:]), ("bytes=9999999-", 416, b""),
                                   ("bytes=-0", 416, b""), ("bytes=9-3", 200, text), ("bytes=1-2,4-5", 200, text),
                                   ("lines=1-2", 200, text), ("bytes=18446744073709551616-", 200, text)):
            r, data = lab.ask(at, headers={"Range": what})
            self.assertEqual((what, r.status, data), (what, status, want))
        r, data = lab.ask(at, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
        self.assertEqual((r.status, len(data)), (200, len(text)))
        self.assertEqual(lab.ask(f"/api/v1/runs/{run}/files/trials/1/x.html")[0].headers["Content-Type"],
                         "application/octet-stream")
        self.assertEqual(lab.ask(f"/api/v1/runs/{run}/files/report.html")[0].headers["Content-Type"],
                         "text/html; charset=utf-8")
        for bad in ("jobs.log", "trials/1/link.log", "trials/etc/passwd", "trials/1/fifo", "trials/../jobs.log",
                    "trials/%2e%2e/jobs.log", "trials/..%2fjobs.log", "trials%2f..%2fjobs.log", "../../kexsect.db",
                    "trials/1/console.log%00.txt", "//etc/passwd", "trials//1", "trials/1/%c0%ae%c0%ae/x", "lock"):
            self.assertEqual((bad, lab.ask(f"/api/v1/runs/{run}/files/{bad}")[0].status), (bad, 404))
        for bad in ("..", "%2e%2e", "a%2f..%2fa", "x" * 200, "' OR 1=1 --".replace(" ", "%20"), "1"):
            self.assertEqual((bad, lab.ask(f"/api/v1/runs/{bad}")[0].status), (bad, 404))

    def test_etag(self):
        r, _ = self.lab.ask("/api/v1/targets")
        again, data = self.lab.ask("/api/v1/targets", headers={"If-None-Match": r.headers["ETag"]})
        self.assertEqual((again.status, data), (304, b""))

    def test_pause_resume_cancel_and_leases(self):
        lab = self.lab
        n = lab.submit("long", "trials=500 ms=50")[1]["campaign"]["id"]
        lab.wait(n, "running")
        targets = lab.json("/api/v1/targets")[1]["targets"]
        self.assertEqual((targets[0]["name"], targets[0]["leases"][0]["submission"]), ("t1", n))
        for what, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
            self.assertEqual(lab.json(f"/api/v1/campaigns/{n}/{what}", method="POST")[0], 401)
            self.assertEqual(lab.json(f"/api/v1/campaigns/{n}/{what}", method="POST", role="read")[0], 403)
            self.assertEqual(lab.json(f"/api/v1/campaigns/{n}/{what}", method="POST", role="admin")[0], 200)
            lab.wait(n, state)
        status, o = lab.json(f"/api/v1/campaigns/{n}/pause", method="POST", role="operate")
        self.assertEqual((status, o["error"]["code"]), (409, "refused"))

    def test_one_operator_does_not_change_what_is_anothers(self):
        lab = self.lab
        n = lab.submit("his", "trials=500 ms=50")[1]["campaign"]["id"]
        lab.token["other"] = lab.new_token("operate")
        self.assertEqual(lab.json(f"/api/v1/campaigns/{n}/cancel", method="POST", role="other")[0], 409)
        self.assertEqual(lab.json(f"/api/v1/campaigns/{n}/cancel", method="POST", role="operate")[0], 200)
        lab.wait(n, "cancelled")

    def test_events(self):
        lab = self.lab
        with socket.create_connection(("127.0.0.1", lab.port), 30) as s:
            s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            n = lab.submit("live", "trials=2 ms=20")[1]["campaign"]["id"]
            said = b""
            while f'"submission":{n}'.encode() not in said or b'"state":"done"' not in said:
                chunk = s.recv(65536)
                self.assertTrue(chunk, said)
                said += chunk
        self.assertIn(b"text/event-stream", said)
        self.assertIn(b'data: {"submission":', said)

    def test_bad_requests(self):
        lab = self.lab
        json_type = {"Content-Type": "application/json"}
        post = {"method": "POST", "role": "operate"}
        for status, path, more in (
                (404, "/nothing", {}), (404, "/api/v1/campaigns/0", {}), (404, "/api/v1/campaigns/99999", {}),
                (404, "/api/v1/campaigns/x", {}), (404, "/api/v1/campaigns/99999999999999999999", {}),
                (400, "/api/v1/campaigns?limit=0", {}), (400, "/api/v1/campaigns?limit=201", {}),
                (400, "/api/v1/campaigns?limit=1&limit=2", {}), (400, "/api/v1/campaigns?what=1", {}),
                (400, "/api/v1/campaigns?state=sad", {}), (400, "/api/v1/campaigns?before=-1", {}),
                (405, "/api/v1/campaigns", {"method": "DELETE"}), (405, "/healthz", {"method": "POST"}),
                (405, "/api/v1/campaigns/1/pause", {}), (405, "/api/v1/targets", {"method": "OPTIONS"}),
                (415, "/api/v1/campaigns", dict(post, body="{}")),
                (415, "/api/v1/campaigns", dict(post, body="{}", headers={"Content-Type": "text/plain"})),
                (400, "/api/v1/campaigns", dict(post, headers=json_type)),
                (400, "/api/v1/campaigns", dict(post, body="{", headers=json_type)),
                (400, "/api/v1/campaigns", dict(post, body="[]", headers=json_type)),
                (400, "/api/v1/campaigns", dict(post, body='{"do":"list"}', headers=json_type)),
                (400, "/api/v1/campaigns", dict(post, body='{"snapshot":{}}', headers=json_type)),
                (401, "/api/v1/campaigns", dict(method="POST", body="{}", headers=json_type)),
                (403, "/api/v1/campaigns", dict(method="POST", role="read", body="{}", headers=json_type)),
                (413, "/api/v1/campaigns/1/pause", dict(post, body="{}", headers=json_type)),
                (413, "/api/v1/targets", {"body": "{}"}),
                (401, "/api/v1/targets", {"headers": {"Authorization": "Bearer kexsect_" + "0" * 64}}),
                (401, "/api/v1/targets", {"headers": {"Authorization": "Basic eDp5"}}),
                (401, "/healthz", {"headers": {"Authorization": "Bearer "}}),
                (421, "/api/v1/targets", {"headers": {"Host": "evil.example"}}),
                (421, "/healthz", {"headers": {"Host": "127.0.0.1.evil.example"}}),
                (403, "/api/v1/targets", {"headers": {"Origin": "http://evil.example"}}),
                (403, "/api/v1/targets", {"headers": {"Origin": "null"}}),
                (403, "/api/v1/targets", {"headers": {"Sec-Fetch-Site": "cross-site"}})):
            r, data = lab.ask(path, **more)
            self.assertEqual((path, more, r.status), (path, more, status))
            self.assertIn(json.loads(data)["error"]["code"], ("input", "missing", "refused"))
            self.assertEqual(r.headers["X-Content-Type-Options"], "nosniff")
        r, _ = lab.ask("/api/v1/campaigns", method="PUT")
        self.assertEqual(r.headers["Allow"], "GET, HEAD, POST")

    def test_what_is_no_http(self):
        lab = self.lab
        ok = b"Host: localhost\r\nConnection: close\r\n"
        token = b"Authorization: Bearer " + lab.token["operate"].encode() + b"\r\n"
        for start, data in (
                (b"HTTP/1.1 400", b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"),
                (b"HTTP/1.1 400", b"GET http://localhost/healthz HTTP/1.1\r\n" + ok + b"\r\n"),
                (b"HTTP/1.1 404", b"GET /a%0d%0aSet-Cookie:x=1 HTTP/1.1\r\n" + ok + b"\r\n"),
                (b"HTTP/1.1 411", b"POST /api/v1/campaigns HTTP/1.1\r\n" + ok + token +
                 b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                (b"HTTP/1.1 413", b"POST /api/v1/campaigns HTTP/1.1\r\n" + ok + token +
                 b"Content-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n")):
            self.assertTrue(lab.raw(data).startswith(start), (data, lab.raw(data)))
        said = lab.raw(b"GET /healthz HTTP/1.1\r\n" + ok + b"X: " + b"x" * 200000 + b"\r\n\r\n")
        self.assertNotIn(b" 200 ", said)
        self.assertNotIn(b"Set-Cookie", lab.raw(b"GET /a%0d%0aSet-Cookie:x=1 HTTP/1.1\r\n" + ok + b"\r\n"))

    def test_health_and_metrics(self):
        self.assertEqual(self.lab.json("/healthz"), (200, {"status": "ok"}))
        r, data = self.lab.ask("/metrics")
        self.assertEqual(r.status, 200)
        for line in data.decode().splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="\w+"\})? \d+)$')

    def test_zz_noise_does_not_hurt(self):
        lab, rng = self.lab, random.Random(8470)
        token = b"Authorization: Bearer " + lab.token["operate"].encode()
        seeds = [b"GET /api/v1/campaigns?limit=3&state=done HTTP/1.1\r\nHost: localhost\r\nRange: bytes=1-4\r\n\r\n",
                 b"GET /api/v1/runs/a-1/files/trials/1/console.log HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"x\"\r\n"
                 b"Range: bytes=5-\r\n\r\n",
                 b"POST /api/v1/campaigns HTTP/1.1\r\nHost: localhost\r\n" + token + b"\r\nContent-Type: application/json\r\n"
                 b"Content-Length: 24\r\n\r\n{\"snapshot\":{\"files\":[]}}",
                 b"GET /api/v1/events?campaign=1 HTTP/1.1\r\nHost: [::1]:1\r\n" + token + b"\r\n\r\n"]
        for _ in range(600):
            data = bytearray(rng.choice(seeds))
            for _ in range(rng.randrange(1, 8)):
                data = data or bytearray(b"\n")
                at = rng.randrange(len(data))
                what = rng.randrange(4)
                if what == 0:
                    data[at] = rng.randrange(256)
                elif what == 1:
                    del data[at:at + rng.randrange(1, 20)]
                elif what == 2:
                    data[at:at] = rng.choice((b"\0", b"%00", b"/..", b"\r\n", b"%", b"&", b"-", b"9" * 25, b"\xff"))
                else:
                    data = data[:at + 1]
            with socket.create_connection(("127.0.0.1", lab.port), 5) as s:
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    s.settimeout(0.01)
                    s.recv(65536)
                except OSError:
                    pass
        for _ in range(100):  # readers of events who have gone are noticed by the next signs of life
            try:
                self.assertEqual(lab.json("/healthz")[0], 200)
                return
            except (OSError, http.client.HTTPException):
                self.assertIsNone(lab.daemon.poll())
                time.sleep(0.3)
        self.fail("the daemon does not answer any more")


class Beyond(unittest.TestCase):
    def refused(self, config, tokens, address="0.0.0.0"):
        lab = Lab(config, address, tokens)
        try:
            with self.assertRaises(AssertionError) as e:
                lab.start()
            lab.daemon.wait(10)
            lab.log.close()
            return str(e.exception)
        finally:
            shutil.rmtree(lab.dir)

    def test_other_machines_take_tls_and_tokens(self):
        folder, *pem = make_certificate()
        tls = f"tls: {{certificate: {pem[0]}, key: {pem[1]}}}\n"
        self.assertIn("takes tls", self.refused("", ("read",)))
        self.assertIn("takes tls", self.refused(tls, ()))
        self.assertIn("PEM", self.refused(f"tls: {{certificate: {pem[1]}, key: {pem[0]}}}\n", ("read",)))
        self.assertIn("no address", self.refused("", (), "localhost"))
        lab = Lab(tls, "0.0.0.0").start()
        for status, path, role in ((200, "/healthz", None), (401, "/api/v1/targets", None), (401, "/nothing", None),
                                   (401, "/metrics", None), (200, "/api/v1/targets", "read")):
            self.assertEqual((path, lab.tls_status(pem[0], path, role)), (path, status))
        os.chmod(lab.state + "/tokens", 0o644)  # others may read it: nobody is known
        self.assertEqual(lab.tls_status(pem[0], "/metrics", "read"), 401)
        lab.end()
        shutil.rmtree(folder)

    def status_as(self, user, port, path, address="127.0.0.1"):
        """The status that a process of this user gets."""
        family = "AF_INET6" if ":" in address else "AF_INET"
        ask = (f"import socket; s = socket.socket(socket.{family}); s.connect(({address!r}, {port})); "
               f"s.sendall(b'GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'); print(s.recv(4096).split()[1].decode())")
        return int(subprocess.check_output([sys.executable if os.geteuid() else "/usr/bin/python3", "-c", ask], user=user,
                                           group=user, extra_groups=[], text=True))

    @unittest.skipIf(os.geteuid() != 0, "only root can be somebody else")
    def test_another_user_of_this_machine_needs_a_token(self):
        nobody = 65534
        for config, address, expected in (("", "127.0.0.1", 401), ("", "::1", 401), ("read_without_token: yes\n", "127.0.0.1", 200),
                                          ("read_without_token: no\n", "127.0.0.1", 401), ("socket_group: nogroup\n", "127.0.0.1", 200),
                                          ("socket_group: root\n", "::1", 401)):
            with self.subTest(config=config, address=address):
                lab = Lab(config, "[::1]" if address == "::1" else address).start(address)
                own = 401 if config == "read_without_token: no\n" else 200
                self.assertEqual(self.status_as(0, lab.port, "/api/v1/targets", address), own)
                self.assertEqual(self.status_as(nobody, lab.port, "/api/v1/targets", address), expected)
                self.assertEqual(self.status_as(nobody, lab.port, "/metrics", address), expected)
                self.assertEqual(self.status_as(nobody, lab.port, "/nothing", address), 404 if expected == 200 else 401)
                self.assertEqual(self.status_as(nobody, lab.port, "/healthz", address), 200)
                lab.end()

    def test_a_target_is_quarantined_checked_and_released(self):
        lab = Lab("targets: [{name: t1}]\n").start()
        at = "/api/v1/targets/t1/"
        for what in ("quarantine", "check", "release"):
            for role, status in ((None, 401), ("read", 403), ("operate", 403)):
                self.assertEqual(lab.ask(at + what, method="POST", role=role)[0].status, status)
            self.assertEqual(lab.ask(f"/api/v1/targets/nobody/{what}", method="POST", role="admin")[0].status, 404)
        for bad in ("reason=", "reason=%0a", "reason=%1b[2J", "reason=%ff", "reason=%00", "reason=" + "x" * 501, "reason=a&reason=b", "why=x"):
            self.assertEqual((bad, lab.ask(f"{at}quarantine?{bad}", method="POST", role="admin")[0].status), (bad, 400))
        status, o = lab.json(at + "quarantine?reason=it%20smells%20%C3%BC%26%3C", method="POST", role="admin")
        self.assertEqual((status, o["target"]["health"]), (200, "quarantined"))
        self.assertIn("it smells ü&<", o["target"]["reason"])
        self.assertIn("admin", o["target"]["reason"])
        n = lab.submit("waits")[1]["campaign"]["id"]
        self.assertIn("t1", lab.wait(n, "waiting")["waits_for"])
        self.assertIn("it smells", [j["text"] for j in lab.json("/api/v1/journal")[1]["journal"] if j["kind"] == "quarantine"][0])
        status, o = lab.json(at + "release", method="POST", role="admin")
        self.assertEqual((status, o["target"]["health"]), (200, "ok"))
        lab.wait(n, "done")
        lab.json(at + "quarantine", method="POST", role="admin")
        self.assertEqual(lab.ask(at + "check", method="POST", role="admin")[0].status, 200)
        lab.wait_until(lambda: not lab.json("/api/v1/targets")[1]["targets"][0].get("checking"), "the check is over")
        lab.end()

    def test_reading_can_take_a_token_here_too(self):
        lab = Lab("read_without_token: no\n").start()
        self.assertEqual(lab.ask("/api/v1/targets")[0].status, 401)
        self.assertEqual(lab.ask("/api/v1/targets", role="read")[0].status, 200)
        self.assertEqual(os.stat(lab.state + "/tokens").st_mode & 0o777, 0o600)
        stored = read(lab.state + "/tokens")
        self.assertFalse(any(t in stored for t in lab.token.values()))
        os.truncate(lab.state + "/tokens", 0)  # ends them all
        self.assertEqual(lab.ask("/api/v1/targets", role="read")[0].status, 401)
        lab.end()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=1)
