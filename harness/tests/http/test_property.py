#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests made up from docs/openapi.yaml, right ones and all kinds of wrong ones, and what must hold for each answer:
test_property.py KEXSECTD ENGINE PACK ROUTES [SECONDS [SEED]]

Each is one that the file describes (status, headers, schema) and no 500; nothing changes and nothing is told without the
role that the file wants, for another host, or for a page of another origin; the daemon lives, and ends without a finding
of its sanitizers."""
import collections
import http.client
import json
import random
import re
import socket
import sys
import time

from api import Wrong
from lab import API, Lab

SECONDS = float(sys.argv[5]) if len(sys.argv) > 5 else 8
SEED = int(sys.argv[6]) if len(sys.argv) > 6 else 8470
ODD_TEXT = ["", "0", "-1", "1e9", "9223372036854775807", "9223372036854775808", "18446744073709551616", "%00", "%", "%zz", "%0d%0aA:b",
            "..", "%2e%2e", ".", "a/b", "%2f", "%5c", "\\", "%c0%ae", "%ff", "%e2%80%a8", "'", "%27%20OR%201=1--", "<script>", "%1b[2J",
            "x" * 300, "%41" * 300, "*", "null", "true", "[]", "{}", "+1", " 1", "1 ", "0x1", "1&1", ";", "#", "?", "~", "\u00e9"]
ODD_JSON = [None, True, False, 0, -1, 1.5, 1e308, 2**63, -2**63, "", "x" * 5000, "\u0000", "\ud800", [], {}, [[]] * 50, {"a": {"b": []}},
            "22:00-07:00", "/", "/etc/passwd", "../x", "//", "\x1b[2J", 10**30]
ODD_VALUES = ["", "x", "\x1b[2J", "\xff\xfe", "a" * 3000, "bytes=0-", "bytes=-1", "bytes=5-1", "bytes=0-0,2-3", '"a"', "W/\"b\"", "*",
              "0", "-1", "99999999999999999999", "identity", "chunked", "gzip", "application/json", "text/plain", "close", "keep-alive",
              "100-continue", "h2c", "localhost", "null", "http://localhost", "cross-site", "same-origin", "GET", "multipart/form-data"]
NAMES = ["Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since", "Accept", "Accept-Encoding", "Connection", "Upgrade", "Cookie",
         "Content-Type", "Content-Encoding", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-HTTP-Method-Override", "Sec-Fetch-Mode",
         "Sec-Fetch-Dest", "Access-Control-Request-Method", "Proxy", "TE", "Trailer", "Via", "X-Original-URL"]


class Client:
    def __init__(self, lab, seed):
        self.lab, self.rng = lab, random.Random(seed)
        self.ops = list(API.operations())
        number = lab.submit("p", "trials=3 ms=1")[1]["campaign"]["id"]
        self.run = lab.wait(number, "done")["run"]
        lab.add_evidence(self.run, b"line\n" * 1000)
        self.packed = lab.campaign("q", "trials=1 ms=1")
        self.counts = collections.Counter()
        self.known = {"id": [1, 2, 3, 99], "run": [self.run], "trial": [1, 2, 9], "target": ["t1"],
                      "since": ["12h", "90m", "3d", "22:00", "2026-11-22T22:00"],
                      "path": ["trials/1/console.log", "report.html", "trials/1/", "trials/1/x.html", "icon.svg"]}

        self.refresh()

    def refresh(self):
        """One campaign that goes on for long, to pause, resume and cancel; no others that wait."""
        if not self.lab.long_one():
            self.lab.drain()
            self.known["id"] = [self.lab.submit("long", "trials=100000 ms=50")[1]["campaign"]["id"], 1, 99]
            self.known["id"] += self.known["id"][:1] * 3

    def pick(self, of):
        return self.rng.choice(of)

    def often(self, p=0.8):
        return self.rng.random() < p

    def value(self, p):
        if self.often():
            known = self.known.get(p["name"])
            if known:
                return str(self.pick(known))
            schema = API.resolve(p["schema"])
            if "enum" in schema:
                return self.pick(schema["enum"])
            return str(self.rng.randint(schema.get("minimum", 0), self.pick([5, schema.get("maximum", 9)])))
        return self.pick(ODD_TEXT)

    def target(self, template, method):
        path, query = template, []
        for p in API.parameters(template, method):
            if p["in"] == "path":
                path = path.replace("{" + p["name"] + "}", self.value(p))
            elif p["in"] == "query" and self.often(0.5):
                query += [f"{p['name']}={self.value(p)}"] * self.pick([1] * 9 + [2])
        if not self.often(0.93):
            query.append(self.pick(ODD_TEXT))
        if not self.often(0.95):
            path = self.pick([path + "/", "/" + path, path.upper(), path + "/" + self.pick(ODD_TEXT), path.replace("/", "//", 1),
                              path.replace("v1", "v2"), "/" + self.pick(ODD_TEXT), path[:-1] or "/", "/x" * 1200])
        return path + ("?" + "&".join(query) if query else "")

    def mutate(self, value):
        """A JSON value with one thing in it changed."""
        if isinstance(value, dict) and value and self.often():
            key = self.pick(list(value))
            changed = dict(value)
            what = self.rng.randrange(4)
            if what == 0:
                del changed[key]
            elif what == 1:
                changed[self.pick(["v", "do", "x", key + " ", "\x1b", "__proto__", "path", "base64"])] = self.pick(ODD_JSON)
            else:
                changed[key] = self.mutate(value[key])
            return changed
        if isinstance(value, list) and value and self.often():
            at, changed = self.rng.randrange(len(value)), list(value)
            what = self.rng.randrange(4)
            if what == 0:
                del changed[at]
            elif what == 1:
                changed.append(changed[at])
            else:
                changed[at] = self.mutate(changed[at])
            return changed
        if isinstance(value, str) and len(value) > 2 and self.often(0.5):
            at = self.rng.randrange(len(value))
            return value[:at] + self.pick(["", "\n", ":", "/", "..", "\x00", "\u2028", "{", "[", "&a *a ", "x" * 100]) + value[at + 1:]
        return self.pick(ODD_JSON)

    def body(self):
        o = {"snapshot": self.packed, "priority": self.rng.randint(-100, 100)}
        for key, good in (("window", "22:00-07:00"), ("hours", 1.5), ("boots", 10), ("compile_minutes", 3), ("again", True)):
            if self.often(0.2):
                o[key] = good
        for _ in range(self.pick([0] + [1] * 12 + [2] * 4)):
            o = self.mutate(o)
        data = json.dumps(o, ensure_ascii=self.often()).encode("utf-8", "surrogatepass")
        if self.often(0.85):
            return data
        what, at = self.rng.randrange(5), self.rng.randrange(len(data) + 1)
        return (data[:at], data[:at] + b"\xff" + data[at:], data + data, b"[" * 3000 + data, data.replace(b'"priority"', b'"boots": 1, "boots"'))[what]

    def request(self):
        """(method, target, bytes, who, friendly, sane): friendly: from our host and origin; sane: it is HTTP."""
        method, template, _ = self.pick(self.ops)
        target = self.target(template, method)
        sane, friendly = True, True
        if not self.often(0.93):
            method = self.pick(["HEAD", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "POST", "GET", "get", "X" * 50, "TRACE", "CONNECT"])
        who = self.pick(["", "read", "operate", "operate", "admin", "admin"])
        lines, body = [], b""
        if self.often(0.95):
            lines.append(("Host", "localhost" if self.often(0.9) else f"127.0.0.1:{self.lab.port}"))
        else:
            lines += [("Host", self.pick(["evil.example", "", "localhost.evil.example", "[::1", "127.0.0.2", "\xff"]))] * self.pick([0, 1, 1])
            friendly = False
        if who:
            lines.append(("Authorization", "Bearer " + self.lab.token[who]))
        elif not self.often():
            lines.append(("Authorization", self.pick(["Bearer", "Bearer ", "Bearer " + "0" * 72, "Basic eDp5", "x" * 2000, "bearer \xff"])))
        if not self.often(0.95):
            lines.append(self.pick([("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site"),
                                    ("Sec-Fetch-Site", "same-site")]))
            friendly = False
        if method == "POST" and target.startswith("/api/v1/campaigns") and target.count("/") < 4 or not self.often(0.97):
            body = self.body()
            lines += [("Content-Length", str(len(body)))] if self.often(0.97) else [("Transfer-Encoding", "chunked")]
            lines.append(("Content-Type", "application/json" if self.often(0.95) else self.pick(ODD_VALUES)))
        for _ in range(self.pick([0] * 6 + [1, 2, 5])):
            lines.append((self.pick(NAMES), self.pick(ODD_VALUES)))
        self.rng.shuffle(lines)
        head = f"{method} {target} HTTP/{'1.1' if self.often(0.97) else self.pick(['1.0', '2.0', '0.9', '1.2', 'x'])}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in lines) + "\r\n"
        data = head.encode("utf-8", "surrogatepass") + body
        if re.search(r"[ \t#]", target) or not re.fullmatch("[A-Z]+", method) or method in ("TRACE", "CONNECT", "X" * 50) \
                or not head.split("\r\n")[0].endswith(("1.1", "1.0")) or target == "" or "Transfer-Encoding" in head \
                or not any(k == "Host" for k, _ in lines) or "chunked" in head:
            sane = False
        if not self.often(0.97):
            at = self.rng.randrange(len(data))
            data, sane = data[:at] + self.pick([b"", b"\0", b"\n", b"\r\n\r\n", b" ", b":", b"\xff"]) + data[at + 1:], False
        return method, target, data, who, friendly, sane

    def ask(self):
        method, target, data, who, friendly, sane = self.request()
        with socket.create_connection(("127.0.0.1", self.lab.port), 20) as s:
            try:
                s.sendall(data)
            except OSError:
                pass  # it has answered and closed before it had read all
            if not sane:
                try:
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
            r = http.client.HTTPResponse(s, method=method)
            try:
                r.begin()
                stream = r.headers.get("Content-Type") == "text/event-stream"
                answer = b"" if stream else r.read()
            except (http.client.HTTPException, OSError, TimeoutError) as e:
                if sane and not (isinstance(e, OSError) and len(data) > 60000):
                    raise Wrong(f"no answer: {e!r}") from e
                self.counts["closed"] += 1
                return
        self.hold(method, target, who, friendly, sane, r, answer, stream, data)

    def hold(self, method, target, who, friendly, sane, r, answer, stream, data):
        self.counts[r.status] += 1
        if "X-Frame-Options" not in r.headers:  # libmicrohttpd's own
            if sane and b"Expect" not in data or r.status < 400 or r.status in (500, 502):
                raise Wrong(f"an answer without our headers: {r.status}")
            return
        if r.status >= 500 and r.status != 503:
            raise Wrong(f"it failed: {answer[:300]}")
        if not sane:
            return
        if stream:
            API.check_headers(API.response(method, "/api/v1/events", 200), r.headers, target)
        else:
            API.check(method, target, r.status, r.headers, answer)
        if r.status < 400:
            template = API.find(target)
            op = API.doc["paths"][template]["get" if method == "HEAD" else method.lower()]
            roles = {role for o in op.get("security", API.doc["security"]) for role in o.get("token", [""])}
            if not friendly or ("" not in roles and who not in roles):
                raise Wrong(f"it was allowed: {r.status}")


def main():
    lab = Lab().start()
    client = Client(lab, SEED)
    n, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end or n < 300:
        state = client.rng.getstate()
        try:
            client.ask()
        except (Wrong, OSError) as e:
            client.rng.setstate(state)
            method, target, data, who, friendly, sane = client.request()
            sys.exit(f"request {n} of seed {SEED}: {e}\nas {who or 'nobody'}, friendly {friendly}, sane {sane}: {data[:3000]!r}\n"
                     f"daemon: {lab.daemon.poll()}\n{open(lab.dir + '/log', errors='replace').read()[-3000:]}")
        n += 1
        if n % 50 == 0:
            client.refresh()
    lab.end()
    print(f"{n} requests of seed {SEED}: {dict(sorted(client.counts.items(), key=str))}")
    missing = n > 2000 and [f"{m} {t}" for m, t, _ in API.operations() if not any(k[:2] == (m, t) and k[2] < 300 for k in API.seen)
               and t != "/api/v1/events"]
    if missing:
        sys.exit(f"never answered well: {missing}")


main()
