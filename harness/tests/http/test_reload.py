#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Another address and another certificate while it runs: test_reload.py KEXSECTD ENGINE PACK ROUTES"""
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import time
import unittest

from lab import Lab, free_port, make_certificate, read

MIB = 1 << 20


def configure(lab, text):
    with open(lab.config, "w") as f:
        f.write("limits: {disk_free_gib: 0}\n" + text)
    said = read(lab.dir + "/log").count("configuration")
    lab.daemon.send_signal(signal.SIGHUP)
    lab.wait_until(lambda: read(lab.dir + "/log").count("configuration") > said, "it is read again")


class Reload(unittest.TestCase):
    def test_another_address(self):
        lab = Lab().start()
        n = lab.submit("long", "trials=100000 ms=20")[1]["campaign"]["id"]
        pid = lab.wait(n, "running")["pid"]
        first, second = lab.port, free_port()
        kept = http.client.HTTPConnection("127.0.0.1", first, timeout=20)
        kept.request("GET", "/healthz")
        self.assertEqual(kept.getresponse().read(), b'{"status":"ok"}\n')
        stream = socket.create_connection(("127.0.0.1", first), 20)
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(stream.recv(100).startswith(b"HTTP/1.1 200"))

        configure(lab, f"listen: 127.0.0.1:{second}\n")
        lab.port = second
        self.assertTrue(lab.try_health())
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", first), 5)
        while stream.recv(65536):  # readers of events are let go, and come again
            pass
        stream.close()
        kept.request("GET", "/healthz")  # who had a connection is answered, and told that it ends
        r = kept.getresponse()
        self.assertEqual((r.status, r.headers["Connection"]), (200, "close"))
        kept.close()
        self.assertEqual(lab.json(f"/api/v1/campaigns/{n}")[1]["campaign"]["pid"], pid)

        with socket.socket() as s:  # somebody else's address: it stays where it is
            s.bind(("127.0.0.1", 0))
            s.listen()
            configure(lab, f"listen: 127.0.0.1:{s.getsockname()[1]}\n")
            lab.wait_until(lambda: "HTTP stays as it was" in read(lab.dir + "/log"), "it says so")
        self.assertTrue(lab.try_health())
        configure(lab, f"listen: 0.0.0.0:{free_port()}\n")  # not without TLS
        lab.wait_until(lambda: "it takes tls" in read(lab.dir + "/log"), "it says so")
        self.assertTrue(lab.try_health())
        configure(lab, "listen: none\n")
        lab.wait_until(lambda: not lab.try_health(), "it is closed")
        configure(lab, f"listen: 127.0.0.1:{second}\n")
        self.assertTrue(lab.try_health())
        self.assertEqual(lab.json(f"/api/v1/campaigns/{n}")[1]["campaign"]["pid"], pid)
        lab.end()

    def test_trouble_is_told(self):
        lab = Lab().start()
        text = f"listen: 127.0.0.1:{lab.port}\nlimits: {{disk_free_gib: 1000000}}\n"
        with open(lab.config, "w") as f:
            f.write(text)
        lab.daemon.send_signal(signal.SIGHUP)
        lab.wait_until(lambda: lab.ask("/healthz")[0].status == 503, "there is too little room")
        self.assertEqual(lab.json("/healthz")[1], {"status": "trouble"})
        self.assertIn("disk", lab.json("/api/v1/campaigns")[1]["trouble"])
        self.assertEqual(lab.metric("kexsect_trouble"), 1)
        lab.end()

    def test_another_certificate(self):
        one, two = make_certificate(2), make_certificate(30)
        for folder in (one[0], two[0]):
            self.addCleanup(shutil.rmtree, folder)
        text = f"tls: {{certificate: {one[1]}, key: {one[2]}}}\n"
        lab = Lab(text, "0.0.0.0").start()
        now = time.time()
        lab.wait_until(lambda: "expires at" in read(lab.dir + "/log"), "it warns")
        context = ssl.create_default_context(cafile=one[1])

        # a download that goes on meanwhile
        os.makedirs(lab.state + "/results", exist_ok=True)
        number = self.tls(lab, one[1], "POST", "/api/v1/campaigns", lab.campaign("a", "trials=1 ms=1"))
        lab.wait_until(lambda: (c := self.tls(lab, one[1], "GET", f"/api/v1/campaigns/{number}"))["state"] == "done", "it is done")
        run = self.tls(lab, one[1], "GET", f"/api/v1/campaigns/{number}")["run"]
        lab.add_evidence(run, b"x" * 32 * MIB, ("trials/1/console.log",))
        c = http.client.HTTPSConnection("localhost", lab.port, context=context, timeout=30)
        c.request("GET", f"/api/v1/runs/{run}/files/trials/1/console.log", headers={"Authorization": "Bearer " + lab.token["read"]})
        r = c.getresponse()
        got = len(r.read(1 << 16))

        at = f"listen: 0.0.0.0:{lab.port}\n"
        for name in (1, 2):  # the same files, other contents
            shutil.copy(two[name], one[name] + ".new")
            os.rename(one[name] + ".new", one[name])
        configure(lab, at + text)
        self.assertEqual(lab.tls_status(two[1], "/healthz"), 200)
        with self.assertRaises(ssl.SSLError):
            http.client.HTTPSConnection("localhost", lab.port, context=context, timeout=20).connect()
        while chunk := r.read(1 << 20):
            got += len(chunk)
        self.assertEqual(got, 32 * MIB)
        c.close()
        self.assertAlmostEqual(self.expiry(lab, two[1]), now + 30 * 86400, delta=3600)

        with open(one[2], "w") as f:
            f.write("no key\n")
        configure(lab, at + text)
        lab.wait_until(lambda: "HTTP stays as it was" in read(lab.dir + "/log"), "it says so")
        self.assertEqual(lab.tls_status(two[1], "/healthz"), 200)
        lab.end()

    def tls(self, lab, certificate, method, path, snapshot=None):
        c = http.client.HTTPSConnection("localhost", lab.port, context=ssl.create_default_context(cafile=certificate), timeout=20)
        c.request(method, path, json.dumps({"snapshot": snapshot}) if snapshot else None,
                  {"Authorization": "Bearer " + lab.token["admin"], "Content-Type": "application/json"})
        o = json.loads(c.getresponse().read())["campaign"]
        c.close()
        return o["id"] if snapshot else o

    def expiry(self, lab, certificate):
        c = http.client.HTTPSConnection("localhost", lab.port, context=ssl.create_default_context(cafile=certificate), timeout=20)
        c.request("GET", "/metrics", headers={"Authorization": "Bearer " + lab.token["read"]})
        text = c.getresponse().read().decode()
        c.close()
        return int(text.split("\nkexsect_http_certificate_expires_seconds ")[1].split("\n")[0])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=1)
