# SPDX-License-Identifier: GPL-2.0-or-later
"""Receivers of notifications that behave as they are told, and a daemon that sends to them."""
import base64
import collections
import hashlib
import hmac
import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../http")
from lab import Lab, free_port, make_certificate  # noqa: E402 pylint: disable=wrong-import-position

KEXSECT = os.path.dirname(sys.argv[1]) + "/kexsect"
SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, truly").decode()
PASSWORD = "correct horse battery staple"


def signature(secret, ident, timestamp, body):
    """As https://www.standardwebhooks.com says, written again from there."""
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    text = ident.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


class Message:
    def __init__(self, headers, body):
        self.headers, self.body = headers, body
        self.id = headers["webhook-id"]
        self.json = json.loads(body)

    @property
    def lines(self):
        return self.json["data"].get("lines", [])


class Receiver:
    """Takes webhooks. `answers`: statuses (or functions of the handler that give one) for the next requests; then 204."""

    def __init__(self, answers=(), certificate=None):
        self.answers = list(answers)
        self.all = []       # every request, in order
        self.taken = []     # those that were answered by 2xx
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                message = Message(self.headers, body)
                with outer.lock:
                    outer.all.append(message)
                    answer = outer.answers.pop(0) if outer.answers else 204
                status, more, text = answer(self) if callable(answer) else (answer, {}, b"")
                if 200 <= status < 300:
                    with outer.lock:
                        outer.taken.append(message)
                try:
                    self.send_response(status)
                    for name, value in more.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://localhost:{self.port}/hook/of/the/lab"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, n, kind=None, seconds=20):
        """The first n messages that were taken (of the kind)."""
        for _ in range(seconds * 50):
            with self.lock:
                found = [m for m in self.taken if kind in (None, m.json.get("type"))]
            if len(found) >= n:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{len(found)} messages of {kind}, not {n}: {[m.body for m in self.all]}")

    def ids(self):
        return collections.Counter(m.id for m in self.taken)


class NotifyLab(Lab):
    """A daemon whose waits are 200 times as short: --retry 0.05."""

    def __init__(self, notify, more="", limits="", **lab):
        super().__init__(limits=limits, **lab)
        self.socket = self.state + "/socket"
        self.files = {}
        with open(self.config, encoding="utf-8") as f:
            self.base = f.read()
        self.more = more
        self.secret("secret", SECRET)
        self.secret("password", PASSWORD)
        self.configure(notify)

    def secret(self, name, text):
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "\n")
        os.chmod(path, 0o600)

    def configure(self, notify):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(self.base + self.more + ("notify:\n" + notify if notify else ""))

    def kexsect(self, *args, status=0):
        run = subprocess.run([KEXSECT, args[0], "--socket", self.socket, *args[1:]], capture_output=True, text=True,
                             errors="replace", check=False)
        assert run.returncode == status, (args, run)
        return run.stdout if status == 0 else run.stdout + run.stderr

    def notices(self):
        return json.loads(self.kexsect("notify", "list", "--json", "--limit", "1000"))

    def wait_notice(self, state, receiver, seconds=20):
        for _ in range(seconds * 10):
            for n in self.notices()["notices"]:
                if n["state"] == state and n["receiver"] == receiver:
                    return n
            time.sleep(0.1)
        raise AssertionError(self.notices())

    def kill(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(30)

    def again(self):
        self.log.close()
        self.start()

    def everything_written(self):
        """All bytes of the state folder, of the log, and of the results."""
        found = b""
        for folder, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and name not in ("secret", "password", "hook"):
                    with open(path, "rb") as f:
                        found += f.read()
        return found


def playing_engine(sentence, status=0, words=b""):
    """A program that says this verdict (None: none) and these words for people. The caller removes it."""
    handle, path = tempfile.mkstemp(prefix="kexsect-test-engine-")
    events = [{"event": "campaign", "run": "h-1", "name": "h"}]
    if sentence is not None:
        events.append({"event": "verdict", "run": "h-1", "kind": "cause", "sentence": sentence, "probability": 0.9})
    text = "\n".join(map(json.dumps, events)) + "\n"
    with os.fdopen(handle, "w", encoding="utf-8") as f:
        f.write(f"#!/usr/bin/python3\nimport sys, os\nos.write(1, {text.encode()!r})\nos.write(2, {words!r})\n"
                f"sys.exit({status})\n")
    os.chmod(path, 0o755)
    return path


def arguments_and_environments():
    """Of all processes of this machine that can be read."""
    found = b""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for leaf in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{leaf}", "rb") as f:
                    found += f.read()
            except OSError:
                pass
    return found


def run_all(scope):
    for name, test in list(scope.items()):
        if name.startswith("test_") and name in (sys.argv[5:] or [name]):   # further arguments: only these
            start = time.monotonic()
            test()
            print(f"ok {name} ({time.monotonic() - start:.1f} s)", flush=True)


__all__ = ["Receiver", "NotifyLab", "signature", "SECRET", "PASSWORD", "arguments_and_environments", "free_port",
           "make_certificate", "playing_engine", "run_all"]
