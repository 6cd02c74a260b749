# SPDX-License-Identifier: GPL-2.0-or-later
"""Webhooks of a real daemon: signature, retries, refusals, limits, secrets, TLS."""
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

from receivers import (NotifyLab, Receiver, SECRET, arguments_and_environments, free_port, make_certificate, playing_engine,
                       run_all, signature)

HOSTILE = "x\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script> <!channel> \u202e & \x1b[31m"


def hook(r, name="team", more=""):
    return f"  - {{name: {name}, webhook: '{r.url}', secret_file: secret{', ' + more if more else ''}}}\n"


def test_signed_and_complete():
    r = Receiver()
    lab = NotifyLab(hook(r)).start()
    lab.submit("window", "trials=3 ms=5")
    m = r.wait(1, "verdict")[0]
    h = m.headers
    assert h["webhook-signature"] == signature(SECRET, h["webhook-id"], h["webhook-timestamp"], m.body)
    assert abs(int(h["webhook-timestamp"]) - time.time()) < 30
    assert h["content-type"] == "application/json"
    line = m.lines[0]
    assert (line["name"], line["kind"], line["run"]) == ("window", "verdict", "window-1"), line
    assert line["verdict"]["probability"] == 0.995 and line["progress"]["trials"] == 3, line
    text = m.json["data"]["text"]
    assert "it cures the fault (p = 0.995)" in text and "kexsect report window-1 --results" in text, text
    lab.end()
    r.end()


def test_filters_and_formats():
    rs = [Receiver() for _ in range(6)]
    lab = NotifyLab(hook(rs[0], "a", "campaigns: ['keep-*']") + hook(rs[1], "b", "owners: [nobody-at-all]") +
                    hook(rs[2], "c", "kinds: [disk]") + hook(rs[3], "d", "format: text") +
                    hook(rs[4], "e", "format: slack") + hook(rs[5], "f", "kinds: [started, verdict]")).start()
    lab.submit("keep-this", "trials=1 ms=1")
    n = lab.submit("other", "trials=1 ms=1")[1]["campaign"]["id"]
    lab.wait(n, "done")
    for r, wanted in ((rs[0], ["keep-this"]), (rs[5], ["keep-this", "keep-this", "other", "other"])):
        r.wait(len(wanted) + (r is rs[5]))
        names = sorted(line["name"] for m in r.taken for line in m.lines if line["submission"])
        assert names == wanted, names
    rs[3].wait(2)
    rs[4].wait(2)
    time.sleep(0.3)
    assert not rs[1].all and not rs[2].all
    for r in rs[3:5]:
        assert all(list(m.json) == ["text"] for m in r.taken)
    lab.end()
    for r in rs:
        r.end()


def test_tried_again_until_it_answers():
    port = free_port()  # nobody listens there
    first = Receiver([500, 503, 502])
    late = Receiver()
    late.end()
    lab = NotifyLab(hook(first) + f"  - {{name: late, webhook: 'http://127.0.0.1:{port}/'}}\n").start()
    lab.submit("a", "trials=1 ms=1")
    taken = first.wait(1)
    assert len(first.all) == 4 and len({m.id for m in first.all}) == 1 and len(taken) == 1
    assert len({m.headers["webhook-timestamp"] + str(i) for i, m in enumerate(first.all)}) == 4
    assert all(m.body == first.all[0].body for m in first.all), "a message changed between two attempts"
    n = lab.wait_notice("pending", "late")
    assert n["attempts"] >= 1 and "onnect" in n["detail"], n
    lab.kill()
    lab.configure(hook(first) + f"  - {{name: late, webhook: '{(again := Receiver()).url}'}}\n")
    lab.again()
    again.wait(1)
    time.sleep(0.3)
    assert len(again.taken) == 1 and len(first.all) == 4
    lab.end()
    first.end()
    again.end()


def test_refused_is_given_up():
    no, gone = Receiver([403] * 20), Receiver([410])
    seen = Receiver()
    lab = NotifyLab(hook(no, "no") + hook(gone, "gone") + hook(seen, "seen", "kinds: [undelivered]")).start()
    lab.submit("a", "trials=1 ms=1")
    assert lab.wait_notice("given-up", "no")["attempts"] == 5
    assert lab.wait_notice("given-up", "gone")["attempts"] == 1
    texts = "".join(line["text"] for m in seen.wait(2) for line in m.lines)
    assert "no: a message (verdict) is given up after 5 attempts: HTTP 403" in texts, texts
    assert "2 notifications are given up" in lab.kexsect("list"), lab.kexsect("list")
    lab.end()
    for r in (no, gone, seen):
        r.end()


def test_retry_after_and_redirect():
    times = []

    def later(_):
        times.append(time.monotonic())
        return 429, {"Retry-After": "2"}, b"slow down"

    other = Receiver()
    r, away = Receiver([later]), Receiver([lambda _: (302, {"Location": other.url}, b"")] * 9)
    lab = NotifyLab(hook(r) + hook(away, "away")).start()
    lab.submit("a", "trials=1 ms=1")
    r.wait(1)
    assert time.monotonic() - times[0] >= 2
    lab.wait_notice("given-up", "away")
    assert not other.all, "a redirect was followed"
    lab.end()
    for x in (r, away, other):
        x.end()


def test_endless_answer():
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(10000):
                handler.wfile.write(b"x" * 65536)
        except OSError:
            pass
        return 200, {}, b""

    r = Receiver([endless])
    lab = NotifyLab(hook(r)).start()
    lab.submit("a", "trials=1 ms=1")
    n = lab.wait_notice("sent", "team")
    assert n["attempts"] == 1 and len(n["detail"]) < 500
    lab.end()
    r.end()


def test_silent_receiver_stalls_nobody():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    r = Receiver()
    lab = NotifyLab(f"  - {{name: silent, webhook: 'http://127.0.0.1:{s.getsockname()[1]}/'}}\n" + hook(r)).start()
    started = time.monotonic()
    lab.submit("a", "trials=1 ms=1")
    r.wait(1)
    assert time.monotonic() - started < 10
    assert lab.json("/healthz")[0] == 200
    assert lab.wait_notice("sending", "silent")
    lab.kill()
    s.close()   # what it sent is lost, and the next daemon tries again
    lab.again()
    lab.end()
    r.end()


def test_storm_is_put_together():
    r = Receiver()
    lab = NotifyLab(hook(r, more="kinds: [retry]")).start()
    lab.kill()
    with sqlite3.connect(lab.state + "/queue.db") as db:
        db.executemany("INSERT INTO journal (time_us, submission, kind, text) VALUES (?, 0, 'retry', ?)",
                       [(int(time.time() * 1e6), f"number {i}") for i in range(1000)])
    db.close()
    lab.again()
    for _ in range(600):
        texts = [line["text"] for m in list(r.taken) for line in m.lines]
        if len(texts) == 1000:
            break
        time.sleep(0.05)
    assert texts == [f"number {i}" for i in range(1000)], len(texts)
    assert len(r.taken) == 5 + 10, len(r.taken)
    assert "100 notices: 100 retry" in r.taken[-2].json["data"]["title"], r.taken[-2].json
    lab.end()
    r.end()


def test_hostile_text():
    r, chat = Receiver(), Receiver()
    lab = NotifyLab(hook(r) + hook(chat, "chat", "format: slack"), engine=playing_engine(HOSTILE)).start()
    lab.submit("h")
    m = r.wait(1, "verdict")[0]
    assert "Bcc" not in m.headers and "\n" not in m.json["data"]["title"], m.json
    inert = chat.wait(1)[0].json["text"]
    assert "<" not in inert and ">" not in inert, inert
    os.unlink(lab.engine)
    lab.end()
    r.end()
    chat.end()


def test_secrets_stay_in_their_file():
    seen = []

    def look(_):
        seen.append(arguments_and_environments() + lab.everything_written())
        time.sleep(0.2)
        return 500, {}, b""

    r = Receiver([look, look])
    lab = NotifyLab(f"  - {{name: team, webhook_file: hook, secret_file: secret}}\n")
    lab.secret("hook", r.url + "?token=xoxb-very-secret")
    lab.start()
    lab.submit("a", "trials=1 ms=1")
    r.wait(1)
    lab.wait_notice("sent", "team")
    answers = lab.kexsect("notify", "list", "--json") + lab.kexsect("summary", "--json") + lab.kexsect("list", "--json")
    for path in ("/api/v1/campaigns", "/api/v1/journal", "/metrics", "/api/v1/targets"):
        answers += lab.ask(path)[1].decode()
    seen.append(answers.encode() + lab.everything_written() + arguments_and_environments())
    key = SECRET[6:]
    for text in seen:
        for secret in (SECRET, key, "a key of thirty-two", "xoxb-very-secret", "/hook/of/the/lab"):
            assert secret.encode() not in text, f"{secret} is somewhere"
    lab.end()
    r.end()


def test_a_readable_secret_is_refused():
    r = Receiver()
    lab = NotifyLab(hook(r))
    os.chmod(lab.dir + "/secret", 0o644)
    lab.start()
    lab.submit("a", "trials=1 ms=1")
    assert "everybody may read" in lab.wait_notice("pending", "team")["detail"]
    assert not r.all
    os.chmod(lab.dir + "/secret", 0o600)
    r.wait(1)
    lab.end()
    r.end()


def test_certificates():
    folder, *pem = make_certificate()
    other, *wrong = make_certificate()
    r = Receiver(certificate=pem)
    lab = NotifyLab(f"  - {{name: good, webhook: '{r.url}', ca_file: '{pem[0]}'}}\n"
                    f"  - {{name: unknown, webhook: '{r.url}'}}\n"
                    f"  - {{name: other, webhook: '{r.url}', ca_file: '{wrong[0]}'}}\n"
                    f"  - {{name: address, webhook: 'https://127.0.0.1:{r.port}/', ca_file: '{pem[0]}'}}\n").start()
    lab.submit("a", "trials=1 ms=1")
    r.wait(1)
    for name in ("unknown", "other", "address"):
        assert "ertificate" in (d := lab.wait_notice("pending", name)["detail"]) or "SSL" in d, d
    assert len(r.all) == 1
    lab.end()
    r.end()
    shutil.rmtree(folder)
    shutil.rmtree(other)


def test_reload_and_new_receivers():
    r, late = Receiver(), Receiver()
    lab = NotifyLab(hook(r)).start()
    lab.submit("a", "trials=1 ms=1")
    r.wait(1)
    lab.configure(hook(r) + hook(late, "late"))
    lab.daemon.send_signal(signal.SIGHUP)
    for _ in range(100):
        if len(lab.notices()["receivers"]) == 2:
            break
        time.sleep(0.05)
    lab.submit("b", "trials=1 ms=1")
    assert [line["name"] for line in late.wait(1)[0].lines] == ["b"], "a new receiver gets no history"
    r.wait(2)
    assert "took it" in lab.kexsect("notify", "test", "late")
    assert "there is no receiver nobody" in lab.kexsect("notify", "test", "nobody", status=1)
    lab.configure("  - {name: late, webhook: 'ftp://x'}\n")
    lab.daemon.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert len(lab.notices()["receivers"]) == 2, "the old configuration stays"
    lab.end()
    r.end()
    late.end()


def test_stall_is_said_once():
    r = Receiver()
    lab = NotifyLab(hook(r), limits=", stall_minutes: 1").start()     # 0.3 s here, looked at every 5 s
    n = lab.submit("slow", "trials=1 ms=11000")[1]["campaign"]["id"]
    text = r.wait(1, "stall")[0].lines[0]["text"]
    assert "no trial and no build has ended" in text, text
    r.wait(1, "stall-over")
    lab.wait(n, "done")
    kinds = [m.json["type"] for m in r.wait(3)]
    assert kinds == ["stall", "stall-over", "verdict"], kinds
    lab.end()
    r.end()


def fill(path):
    with open(path, "wb", buffering=0) as f:
        try:
            while f.write(b"\0" * 4096):
                pass
        except OSError:
            pass


def test_full_disk_between_answer_and_commit():
    """The disk is full when the receiver answers, and the daemon is killed before there is room: still once."""

    def full(_):
        fill(lab.state + "/ballast")
        return 204, {}, b""

    r = Receiver([full])
    lab = NotifyLab(hook(r))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", lab.state], check=False).returncode:
        print("no mounts here")
        return
    try:
        lab.token = {role: lab.new_token(role) for role in lab.token}
        lab.start()
        lab.submit("a", "trials=1 ms=1")
        r.wait(1)
        time.sleep(1)
        assert os.listdir(lab.state + "/notices"), "it could be settled: the disk was not full"
        lab.kill()
        os.unlink(lab.state + "/ballast")
        lab.again()
        assert lab.wait_notice("sent", "team")["attempts"] == 1
        lab.submit("b", "trials=1 ms=1")
        r.wait(2)
        assert len(r.all) == 2 and max(r.ids().values()) == 1
        lab.daemon.send_signal(signal.SIGTERM)
        assert lab.daemon.wait(60) == 0
    finally:
        subprocess.run(["umount", "-l", lab.state], check=True)
    lab.log.close()
    shutil.rmtree(lab.dir)
    r.end()


def test_mistakes_in_the_configuration():
    lab = NotifyLab("")
    for text, wanted in (
            ("  - {name: x}\n", "one of webhook, webhook_file and mail"),
            ("  - {name: X, webhook: 'https://x'}\n", "a name of a-z"),
            ("  - {name: x, webhook: 'file:///etc/passwd'}\n", "https:// or http://"),
            ("  - {name: x, webhook: 'https://x', kinds: [verdikt]}\n", "one of submitted"),
            ("  - {name: x, webhook: 'https://x', at: '25:00'}\n", "a time of the day"),
            ("  - {name: x, webhook: 'https://x', format: xml}\n", "json, text or slack"),
            ("  - {name: x, webhook: 'https://x'}\n  - {name: x, webhook: 'https://y'}\n", "one of this name"),
            ("  - {name: x, mail: ['a@b\\r\\nRCPT TO: c'], from: a@b, smtp: 'smtp://x'}\n", "an address"),
            ("  - {name: x, mail: [a@b], from: a@b, smtp: 'smtp://x', user: u}\n", "belong together"),
            ("  - {name: x, mail: [a@b], from: a@b, smtp: 'smtp://x', user: u, password_file: p, starttls: no}\n",
             "never sent without TLS"),
            ("  - {name: x, webhook: 'https://x', secret: y}\n", "secret")):
        lab.configure(text)
        run = subprocess.run([os.sys.argv[1], "--state", lab.state, "--config", lab.config], capture_output=True,
                             text=True, timeout=30, check=False)
        assert run.returncode == 1 and wanted in run.stderr and "kexsectd.yaml:" in run.stderr, (text, run.stderr)
    shutil.rmtree(lab.dir)


if __name__ == "__main__":
    threading.stack_size(1 << 20)
    run_all(globals())
