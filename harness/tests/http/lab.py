# SPDX-License-Identifier: GPL-2.0-or-later
"""A real kexsectd with an engine that plays: KEXSECTD ENGINE PACK ROUTES are the arguments of each test."""
import atexit
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time

from api import Api

KEXSECTD, ENGINE, PACK, ROUTES = sys.argv[1:5]
API = Api()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_certificate(days=1):
    """(folder, certificate, key) for localhost; the caller removes the folder."""
    folder = tempfile.mkdtemp(prefix="kexsect-test-")
    pem = f"{folder}/cert.pem", f"{folder}/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    str(days), "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", pem[0],
                    "-keyout", pem[1]], check=True, capture_output=True)
    return folder, *pem


def read(path):
    with open(path, errors="replace") as f:
        return f.read()


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Lab:
    def __init__(self, config="", address="127.0.0.1", tokens=("operate", "admin", "read"), limits="", engine=ENGINE, sanitizer=""):
        self.dir = tempfile.mkdtemp(prefix="kexsect-test-")
        self.state = self.dir + "/state"
        self.port = free_port()
        self.config = self.dir + "/kexsectd.yaml"
        with open(self.config, "w") as f:
            f.write(f"listen: \"{address}:{self.port}\"\nlimits: {{disk_free_gib: 0{limits}}}\n{config}")
        self.engine = engine
        self.env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":" + sanitizer)
        self.token = {r: self.new_token(r) for r in tokens}

    def new_token(self, role):
        return subprocess.check_output([KEXSECTD, "--state", self.state, "--new-token", role], text=True).strip()

    def start(self, address="127.0.0.1"):
        self.log = open(self.dir + "/log", "wb")
        self.daemon = subprocess.Popen([KEXSECTD, "--state", self.state, "--config", self.config, "--engine", self.engine,
                                        "--retry", "0.05", "--grace", "2"], stdout=subprocess.DEVNULL, stderr=self.log, env=self.env,
                                       preexec_fn=die_with_parent)
        atexit.register(self.clean)
        for _ in range(600):
            try:
                socket.create_connection((address, self.port), 1).close()
                return self
            except OSError:
                if self.daemon.poll() is not None:
                    break
                time.sleep(0.05)
        raise AssertionError(read(self.dir + "/log"))

    def end(self):
        self.daemon.send_signal(signal.SIGTERM)
        status = self.daemon.wait(60)
        self.log.close()
        said = read(self.dir + "/log")
        self.clean()
        assert status == 0, said
        for t in self.token.values():
            assert t not in said, "a token is in the log"

    def clean(self):
        if self.daemon.poll() is None:  # a test broke
            self.daemon.kill()
            self.daemon.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.clean)

    def ask(self, path, method="GET", role=None, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        h = dict(headers or {})
        if role:
            h["Authorization"] = "Bearer " + self.token[role]
        c.request(method, path, body, h)
        r = c.getresponse()
        data = r.read()
        c.close()
        API.check(method, path, r.status, r.headers, data)
        return r, data

    def json(self, path, **more):
        r, data = self.ask(path, **more)
        return r.status, json.loads(data)

    def raw(self, data, patience=5):
        with socket.create_connection(("127.0.0.1", self.port), patience) as s:
            try:
                s.sendall(data)
                out = b""
                while chunk := s.recv(65536):
                    out += chunk
            except OSError:
                pass
            return out

    def campaign(self, name, script="trials=3 ms=5"):
        folder = self.dir + "/configs/"
        os.makedirs(folder + "campaigns", exist_ok=True)
        os.makedirs(folder + "targets", exist_ok=True)
        with open(folder + "targets/t1.yaml", "w") as f:
            f.write("name: t1\ndriver: libvirt\n")
        path = f"{folder}campaigns/{name}.yaml"
        with open(path, "w") as f:
            f.write(f"name: {name}\nbase: linux-6.1\noracle: vtd-window\nparameters: [nox2apic, maxcpus=1]\n"
                    f"targets: [t1]\n# fake: {script}\n")
        return json.loads(subprocess.check_output([PACK, path]))

    def submit(self, name, script="trials=3 ms=5", role="operate"):
        body = json.dumps({"snapshot": self.campaign(name, script)})
        return self.json("/api/v1/campaigns", method="POST", role=role, body=body,
                         headers={"Content-Type": "application/json"})

    def wait(self, number, state):
        for _ in range(600):
            s, o = self.json(f"/api/v1/campaigns/{number}")
            if o["campaign"]["state"] == state:
                return o["campaign"]
            time.sleep(0.05)
        raise AssertionError(o)

    def add_evidence(self, run, text, names=("trials/1/console.log", "trials/1/x.html", "report.html", "jobs.log")):
        """Gives trial 1 a folder with these files, and what must not be served."""
        folder = f"{self.state}/results/campaigns/{run}"
        os.makedirs(folder + "/trials/1/acpi", exist_ok=True)
        for name in names:
            with open(f"{folder}/{name}", "wb") as f:
                f.write(text)
        os.symlink("/etc/passwd", folder + "/trials/1/link.log")
        os.symlink("/etc", folder + "/trials/etc")
        os.mkfifo(folder + "/trials/1/fifo")
        self.sql("UPDATE trial SET evidence = ? WHERE number = 1 AND campaign = (SELECT id FROM campaign WHERE slug = ?)",
                 f"campaigns/{run}/trials/1", run)

    def sql(self, statement, *values):
        db = sqlite3.connect(f"{self.state}/results/kexsect.db", timeout=30)
        db.execute(statement, values)
        db.commit()
        db.close()

    def metric(self, name):
        return int(re.search(rf"^{name} (\d+)$", self.ask("/metrics", role="read")[1].decode(), re.M).group(1))

    def memory(self):
        """Resident bytes of the daemon."""
        return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{self.daemon.pid}/status")).group(1)) * 1024

    def try_health(self):
        try:
            return self.ask("/healthz")[0].status == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_until(self, true, what, patience=30):
        end = time.monotonic() + patience
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"not after {patience} s: {what}")
            time.sleep(0.1)

    def tls_status(self, certificate, path, role=None):
        c = http.client.HTTPSConnection("localhost", self.port, context=ssl.create_default_context(cafile=certificate), timeout=20)
        c.request("GET", path, headers={"Authorization": "Bearer " + self.token[role]} if role else {})
        r = c.getresponse()
        API.check("GET", path, r.status, r.headers, r.read())
        c.close()
        return r.status

    def long_one(self):
        """Whether a campaign of the name long is not over."""
        return any(c["name"] == "long" and c["state"] not in ("done", "failed", "cancelled", "stopping")
                   for c in self.json("/api/v1/campaigns?limit=200", role="read")[1]["campaigns"])

    def drain(self):
        """Cancels what is in the queue."""
        for c in self.json("/api/v1/campaigns?limit=200", role="read")[1]["campaigns"]:
            if c["state"] not in ("done", "failed", "cancelled", "stopping"):
                self.ask(f"/api/v1/campaigns/{c['id']}/cancel", method="POST", role="admin")
