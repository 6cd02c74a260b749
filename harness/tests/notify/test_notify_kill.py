# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon is killed at 100 random moments while it notifies: each line of the journal arrives, and once."""
import collections
import os
import random
import signal
import sqlite3
import time

from receivers import NotifyLab, Receiver, run_all, signature, SECRET

KILLS = 100


def journal(lab):
    db = sqlite3.connect(f"file:{lab.state}/queue.db?mode=ro", uri=True, timeout=30)
    rows = db.execute("SELECT id, kind FROM journal").fetchall()
    db.close()
    return rows


def test_killed_at_random_moments():
    dice = random.Random(77)

    def slowly(handler):
        """Before and after it has the message: that is when the daemon is killed."""
        time.sleep(dice.uniform(0, 0.06))
        return 204, {}, b""

    def busy(handler):
        time.sleep(dice.uniform(0, 0.03))
        return 503, {}, b"try again"

    r = Receiver([busy if dice.random() < 0.2 else slowly for _ in range(5000)])
    lab = NotifyLab(f"  - {{name: team, webhook: '{r.url}', secret_file: secret, kinds: [started, stopping, verdict, "
                    "submitted], per_minute: 1000}\n")
    lab.start()
    for n in range(KILLS):
        if n % 5 == 0:
            lab.submit(f"c{n}", "trials=2 ms=5")
        time.sleep(dice.uniform(0, 0.25))
        lab.kill()
        lab.again()
    wanted = {i for i, kind in journal(lab) if kind in ("started", "stopping", "verdict", "submitted")}
    for _ in range(1200):
        got = collections.Counter(line["id"] for m in list(r.taken) for line in m.lines)
        if wanted <= set(got) and not any(x["pending"] for x in lab.notices()["receivers"]):
            break
        time.sleep(0.05)
        wanted |= {i for i, kind in journal(lab) if kind in ("started", "stopping", "verdict", "submitted")}
    assert set(got) == wanted, (sorted(wanted - set(got)), sorted(set(got) - wanted))
    again = {i: n for i, n in r.ids().items() if n > 1}
    twice = {i: n for i, n in got.items() if n > 1}
    assert not again and not twice, f"delivered twice: {again} {twice}"
    for m in r.all:
        assert m.headers["webhook-signature"] == signature(SECRET, m.id, m.headers["webhook-timestamp"], m.body)
    print(f"{KILLS} daemons were killed; {len(wanted)} lines in {len(r.taken)} messages, {len(r.all)} requests")
    assert len(wanted) > KILLS
    lab.end()
    r.end()


def jobs_of(daemon):
    """Processes `kexsect job notify` that it started."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if parent == daemon and b"\0notify\0" in f.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def test_killed_jobs_lose_nothing():
    """Nobody can know whether the receiver had it: it comes again, as the same message."""
    dice = random.Random(5)

    def slowly(_):
        time.sleep(dice.uniform(0, 0.1))
        return 204, {}, b""

    r = Receiver([slowly] * 5000)
    lab = NotifyLab(f"  - {{name: team, webhook: '{r.url}', kinds: [submitted, verdict], per_minute: 1000}}\n").start()
    killed = 0
    for n in range(1000):
        if killed >= 20:
            break
        if n % 10 == 0:
            lab.submit(f"c{n}", "trials=1 ms=5")
        time.sleep(dice.uniform(0, 0.05))
        for pid in jobs_of(lab.daemon.pid):
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
    assert killed >= 20
    wanted = set()
    for _ in range(600):
        wanted = {i for i, kind in journal(lab) if kind in ("submitted", "verdict")}
        if wanted == {line["id"] for m in list(r.taken) for line in m.lines} and not lab.notices()["receivers"][0]["pending"]:
            break
        time.sleep(0.1)
    of = collections.defaultdict(set)
    for m in r.taken:
        for line in m.lines:
            of[line["id"]].add(m.id)
    assert set(of) == wanted and all(len(ids) == 1 for ids in of.values()), of
    lab.end()
    r.end()


def test_a_stop_waits_for_the_answer():
    def slow(_):
        began.append(True)
        time.sleep(2)
        return 204, {}, b""

    began = []
    r = Receiver([slow])
    lab = NotifyLab(f"  - {{name: team, webhook: '{r.url}', kinds: [verdict]}}\n").start()
    lab.submit("a", "trials=1 ms=5")
    while not began:
        time.sleep(0.02)
    lab.daemon.send_signal(signal.SIGTERM)
    assert lab.daemon.wait(30) == 0
    lab.again()
    time.sleep(1)
    assert len(r.all) == 1 and lab.wait_notice("sent", "team")["attempts"] == 1
    lab.end()
    r.end()


if __name__ == "__main__":
    run_all(globals())
