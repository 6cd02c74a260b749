#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that are slow, silent or too many, with deadlines of seconds: test_slow.py KEXSECTD ENGINE PACK ROUTES"""
import os
import select
import socket
import sys
import time
import unittest

from lab import Lab, make_certificate

REQUEST_S, ANSWER_S = 1, 3
LATE = 25  # how long a cut may take on a machine with other work
MIB = 1 << 20
LITTLE = "quarantine_size_mb=8"  # what AddressSanitizer keeps of freed memory would hide what the daemon keeps


def is_open(s):
    """Whether the other end still keeps it, as far as one can see from here."""
    if not select.select([s], [], [], 0)[0]:
        return True
    try:
        return s.recv(65536, socket.MSG_PEEK) != b""
    except OSError:
        return False


def wait_closed(s, patience=LATE):
    """Reads to the end; the bytes. Fails when there is none."""
    s.settimeout(patience)
    out = b""
    try:
        while chunk := s.recv(65536):
            out += chunk
    except TimeoutError as e:
        raise AssertionError(f"still open after {patience} s") from e
    except OSError:
        pass
    return out


class Slow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(limits=f", request_s: {REQUEST_S}, answer_s: {ANSWER_S}", sanitizer=LITTLE).start()
        number = cls.lab.submit("a")[1]["campaign"]["id"]
        cls.run_name = cls.lab.wait(number, "done")["run"]
        cls.lab.add_evidence(cls.run_name, b"x" * 64 * MIB, ("trials/1/console.log",))
        cls.big = f"/api/v1/runs/{cls.run_name}/files/trials/1/console.log"

    @classmethod
    def tearDownClass(cls):
        cls.lab.end()

    def connect(self, receive=0):
        s = socket.socket()
        if receive:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        s.settimeout(LATE)
        s.connect(("127.0.0.1", self.lab.port))
        self.addCleanup(s.close)
        return s

    def dropped(self):
        return self.lab.metric("kexsect_http_dropped_total")

    def answers(self):
        """It serves others meanwhile, at once."""
        start = time.monotonic()
        self.assertEqual(self.lab.ask("/healthz")[0].status, 200)
        self.assertLess(time.monotonic() - start, 10)

    def drip(self, s, data):
        """A byte at a time until the other end has had enough; how long that took."""
        start = time.monotonic()
        try:
            for i in range(len(data)):
                s.send(data[i:i + 1])
                time.sleep(0.1)
                if not is_open(s):
                    break
                self.assertLess(time.monotonic() - start, LATE)
        except OSError:
            pass
        return time.monotonic() - start

    def test_headers_a_byte_at_a_time(self):
        before = self.dropped()
        s = self.connect()
        took = self.drip(s, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 1000)
        self.assertGreaterEqual(took, REQUEST_S - 0.5)
        self.assertNotIn(b" 200 ", wait_closed(s))
        self.assertGreater(self.dropped(), before)
        self.answers()

    def test_body_a_byte_at_a_time(self):
        s = self.connect()
        s.sendall(b"POST /api/v1/campaigns HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                  self.lab.token["operate"].encode() + b"\r\nContent-Type: application/json\r\nContent-Length: 30000000\r\n\r\n")
        took = self.drip(s, b'{"snapshot":' + b" " * 1000)
        self.assertGreaterEqual(took, REQUEST_S - 0.5)
        wait_closed(s)
        self.answers()

    def test_nothing_at_all(self):
        before = self.dropped()
        silent = [self.connect() for _ in range(40)]
        self.answers()
        for s in silent:
            self.assertEqual(wait_closed(s), b"")
        self.assertGreaterEqual(self.dropped(), before + 40)

    def test_too_many_from_one_address(self):
        idle = [self.connect() for _ in range(200)]
        time.sleep(0.3)
        refused = sum(not is_open(s) for s in idle)
        self.assertGreaterEqual(refused, 40)
        for s in idle:
            s.close()
        self.lab.wait_until(lambda: self.lab.try_health(), "others get in again")

    def test_a_reader_of_a_large_file_who_stops(self):
        before, memory = self.dropped(), self.lab.memory()
        stuck = []
        for _ in range(20):
            s = self.connect(receive=4096)
            s.sendall(f"GET {self.big} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))
            stuck.append(s)
        self.answers()
        self.assertLess(self.lab.memory(), memory + 30 * MIB)  # 20 times 64 MiB are on their way
        for s in stuck:
            self.lab.wait_until(lambda: self.dropped() >= before + 20, "the readers are cut off")
            self.assertLess(len(wait_closed(s)), 64 * MIB)
        self.answers()

    def test_a_quick_reader_of_a_large_file(self):
        self.assertEqual(len(self.lab.ask(self.big)[1]), 64 * MIB)

    def test_a_reader_of_events_who_never_reads(self):
        lab = Lab(engine=os.path.join(os.path.dirname(os.path.abspath(__file__)), "engine.py"), sanitizer=LITTLE).start()
        memory = lab.memory()
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", lab.port))
            s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            lab.wait(lab.submit("loud", "loud=16")[1]["campaign"]["id"], "done")
            lab.wait_until(lambda: lab.metric("kexsect_http_dropped_total") == 1, "it is cut off")
            self.assertLess(len(wait_closed(s)), 10 * MIB)
        lab.wait_until(lambda: lab.metric("kexsect_http_streams") == 0, "it is gone")
        self.assertLess(lab.memory(), memory + 60 * MIB)
        lab.end()

    def test_a_reader_of_events_is_not_cut_off_by_a_deadline(self):
        s = self.connect()
        s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        end, said = time.monotonic() + ANSWER_S + 5, b""
        while time.monotonic() < end:
            if select.select([s], [], [], 0.5)[0]:
                chunk = s.recv(65536)
                self.assertTrue(chunk, said)
                said += chunk
        self.assertIn(b": alive", said)

    def test_too_many_readers_of_events(self):
        streams = []
        for _ in range(101):
            s = self.connect()
            s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            streams.append((s, s.recv(1000)))
        self.assertTrue(all(h.startswith(b"HTTP/1.1 200") for _, h in streams[:100]))
        self.assertTrue(streams[100][1].startswith(b"HTTP/1.1 503"), streams[100][1])
        for s, _ in streams:
            s.close()
        self.lab.wait_until(lambda: self.lab.metric("kexsect_http_streams") == 0, "they are gone")

    def test_bodies(self):
        """33 MiB and no more; 96 MiB on their way and no more; what does not come frees its place."""
        lab = Lab(sanitizer=LITTLE).start()
        head = (b"POST /api/v1/campaigns HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                lab.token["operate"].encode() + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n")
        self.assertTrue(lab.raw(head % (33 * MIB + 1)).startswith(b"HTTP/1.1 413"))
        memory = lab.memory()
        waiting = [socket.create_connection(("127.0.0.1", lab.port), LATE) for _ in range(3)]
        for s in waiting[:2]:
            s.sendall(head % (33 * MIB) + b"{")
        time.sleep(0.3)
        waiting[2].sendall(head % (33 * MIB))
        self.assertTrue(waiting[2].recv(1000).startswith(b"HTTP/1.1 503"))  # 66 + 33 are more than 96
        self.assertLess(lab.memory(), memory + 10 * MIB)  # promised is not taken
        for s in waiting:
            s.close()
        body = b'{"snapshot":"' + b"x" * (33 * MIB - 15) + b'"}'
        self.assertEqual(len(body), 33 * MIB)
        post = {"method": "POST", "role": "operate", "body": body, "headers": {"Content-Type": "application/json"}}
        lab.wait_until(lambda: lab.ask("/api/v1/campaigns", **post)[0].status == 400, "there is room again")
        self.assertLess(lab.memory(), memory + 150 * MIB)
        lab.end()

    def test_several_requests_at_once_and_old_clients(self):
        one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        said = self.lab.raw(one * 50 + last)
        self.assertEqual(said.count(b"HTTP/1.1 200"), 51)
        said = self.lab.raw(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n" + one)
        self.assertEqual(said.count(b" 200 OK"), 1)  # 1.0 ends with its answer
        # a refused body is not taken for the next request
        said = self.lab.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(one) + one)
        self.assertEqual((said.count(b"HTTP/1.1 413"), said.count(b" 200 ")), (1, 0))
        # two lengths, or a length and chunks: nobody guesses which counts
        for more in (b"Content-Length: 0\r\nContent-Length: 44\r\n", b"Content-Length: 44\r\nTransfer-Encoding: chunked\r\n"):
            said = self.lab.raw(b"POST /api/v1/campaigns/1/pause HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n" + one)
            self.assertNotIn(b" 200 ", said)


class Tls(unittest.TestCase):
    def test_handshakes_that_never_end(self):
        folder, cert, key = make_certificate()
        self.addCleanup(lambda: os.system(f"rm -r {folder}"))
        lab = Lab(f"tls: {{certificate: {cert}, key: {key}}}\n", "0.0.0.0", limits=f", request_s: {REQUEST_S}", sanitizer=LITTLE).start()
        memory = lab.memory()
        hello = bytes.fromhex("16030100c8010000c40303")  # a client hello that stops in its middle
        begun = []
        for i in range(100):
            s = socket.create_connection(("127.0.0.1", lab.port), LATE)
            if i % 2:
                s.sendall(hello)
            begun.append(s)
        self.assertLess(lab.memory(), memory + 60 * MIB)
        for s in begun:
            wait_closed(s)
            s.close()
        for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\x80\x2e\x01\x00\x02" + b"y" * 40):
            with socket.create_connection(("127.0.0.1", lab.port), LATE) as s:
                try:
                    s.sendall(junk)
                except OSError:
                    pass
                self.assertNotIn(b"HTTP/1.1 200", wait_closed(s))
        self.assertEqual(lab.tls_status(cert, "/healthz"), 200)
        lab.end()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=1)
