# SPDX-License-Identifier: GPL-2.0-or-later
"""The morning report of a night in which daemons and engines were killed, machines failed, and strangers wrote."""
import datetime
import html.parser
import json
import os
import re
import signal
import sqlite3
import time

from receivers import NotifyLab, Receiver, playing_engine, run_all

HOSTILE = "<script>alert(1)</script>\r\n| **x** | \u202e\x1b[31m & `y`"


def summary(lab, *more):
    return lab.kexsect("summary", "--since", "1h", *more)


def section(text, title):
    """The lines under a heading of the text form."""
    lines = text.split("\n")
    start = lines.index(title) + 1
    end = next((i for i in range(start, len(lines)) if not lines[i]), len(lines))
    return " ".join(" ".join(lines[start:end]).split())


def test_a_night():
    lab = NotifyLab("", limits=", retries: 1, quarantine_after: 1").start()
    done = lab.submit("good", "trials=20 ms=30")[1]["campaign"]["id"]
    time.sleep(0.3)
    for _ in range(3):
        lab.kill()
        lab.again()
        time.sleep(0.2)
    lab.wait(done, "done")
    bad = lab.submit("bad", "trials=1 refuse=9")[1]["campaign"]["id"]
    lab.wait(bad, "failed")
    crashed = lab.submit("crashed", "trials=4 ms=5 crash=3")[1]["campaign"]["id"]
    lab.wait(crashed, "done")
    slow = lab.submit("slow", "trials=3 ms=20000")[1]["campaign"]["id"]
    lab.wait(slow, "running")
    waits = lab.submit("waits", "trials=3 ms=5")[1]["campaign"]["id"]
    lab.kexsect("target", "quarantine", "t1", "--reason", "the fan is loud")
    lab.wait(slow, "waiting")
    text = summary(lab)
    assert "it cures the fault (p = 0.995" in section(text, "Verdicts") and "20 boots" in section(text, "Verdicts"), text
    assert "kexsect report good-1 --results" in section(text, "Verdicts"), text
    assert "crashed" in section(text, "Verdicts") and "4 boots" in section(text, "Verdicts")
    assert "the lab is closed" in section(text, "Failed") and f"kexsect resume {bad}" in section(text, "Failed"), text
    waiting = section(text, "Waiting")
    assert "slow" in waiting and "waits" in waiting and "the fan is loud" in waiting, text
    assert "the fan is loud" in section(text, "Targets in quarantine"), text
    broken = section(text, "Interrupted, and went on")
    assert "good" in broken and "lost its daemon" in broken, text
    assert "crashed" in broken and "killed by signal 9" in broken, text
    numbers = section(text, "Numbers")
    assert "24 boots" in numbers and "started 4 times, 3 of them after it was killed" in numbers, numbers
    assert len(text.split("\n")) <= 50 and max(map(len, text.split("\n"))) <= 200, text
    lab.kexsect("target", "release", "t1")
    lab.wait(slow, "running")
    text = summary(lab)
    assert "back in service" in section(text, "Targets: quarantines and recoveries"), text
    assert "slow" in section(text, "Still running") and "on t1" in section(text, "Still running"), text
    lab.kexsect("cancel", str(slow))
    lab.wait(waits, "done")
    doc = json.loads(summary(lab, "--format", "json"))
    assert doc["work"]["boots"] == 27 and doc["daemon"] == {"starts": 4, "killed": 3}, doc
    one = [s for s in doc["submissions"] if s["name"] == "good"][0]
    assert one["notes"]["orphan"]["count"] >= 1 and one["work"]["outcomes"] == {"fault": 20}, one
    assert "good" not in lab.kexsect("summary", "--since", "0m").split("Numbers")[0]
    # what was before is not counted again
    assert json.loads(lab.kexsect("summary", "--since", "0m", "--json"))["work"]["boots"] == 0
    lab.end()


def test_since():
    lab = NotifyLab("").start()
    now = datetime.datetime.now()
    for text, hours in (("90m", 1.5), ("3d", 72), ((now - datetime.timedelta(hours=2)).strftime("%H:%M"), 2),
                        ((now + datetime.timedelta(hours=1)).strftime("%H:%M"), 23),
                        ((now - datetime.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M"), 48)):
        since = json.loads(lab.kexsect("summary", "--since", text, "--json"))["since_us"] / 1e6
        assert abs((now.timestamp() - since) / 3600 - hours) < 0.05, (text, hours, since)
    for text in ("yesterday", "25:00", "-3h", "3", "1e3h"):
        assert "--since" in lab.kexsect("summary", "--since", text, status=2)
    assert "no format" in lab.kexsect("summary", "--format", "pdf", status=2)
    lab.end()
    assert "no daemon" in lab.kexsect("summary", status=1)


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)


def test_hostile_words_are_words():
    engine = playing_engine(HOSTILE)
    lab = NotifyLab("", engine=engine).start()
    n = lab.submit("h")[1]["campaign"]["id"]
    lab.wait(n, "done")
    page, text, md = (summary(lab, "--format", f) for f in ("html", "text", "md"))
    tags = Tags()
    tags.feed(page)
    assert tags.seen <= {"html", "meta", "title", "style", "h1", "h2", "dl", "dt", "dd", "br", "code"}, tags.seen
    for out in (page, text, md):
        assert "\x1b" not in out and "\u202e" not in out and "alert(1)" in out.replace("\\", ""), out
    assert not re.search(r"(?<!\\)[<>|`]", re.sub(r"`kexsect [^`]*`", "", md)) and "**x**" not in md, md
    os.unlink(engine)
    lab.end()


def test_every_morning():
    r = Receiver()
    late = (datetime.datetime.now() - datetime.timedelta(minutes=2)).strftime("%H:%M")
    lab = NotifyLab(f"  - {{name: team, webhook: '{r.url}', at: '{late}', kinds: [verdict]}}\n").start()
    n = lab.submit("good", "trials=2 ms=5")[1]["campaign"]["id"]
    lab.wait(n, "done")
    r.wait(1, "verdict")
    time.sleep(0.5)
    assert len(r.taken) == 1, "the moment was before the receiver was there"
    lab.kill()
    with sqlite3.connect(lab.state + "/queue.db") as db:    # it has been there since yesterday
        db.execute("UPDATE receiver SET summary_us = summary_us - 86400000000")
    db.close()
    r.answers = [500, 500]
    lab.again()
    m = r.wait(1, "summary")[0]
    assert "it cures the fault" in m.json["data"]["text"] and "Verdicts" in m.json["data"]["text"], m.json
    for _ in range(3):
        lab.kill()
        lab.again()
        time.sleep(0.4)
    lab.daemon.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert [m.json["type"] for m in r.taken] == ["verdict", "summary"], [m.json for m in r.taken]
    lab.end()
    r.end()


if __name__ == "__main__":
    run_all(globals())
