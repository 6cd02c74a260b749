#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An engine that says what nobody should say to a page or a terminal. How is in the campaign: # fake: hostile=1, loud=MIB."""
import json
import re
import sys

NASTY = ("</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`&amp; \x1b]0;owned\x07\x1b[2J\x1b[31m"
         "\r\nSet-Cookie: a=b\r\n\r\ndata: {}\n\nevent: x\nid: 9\n\x01\x7f\x85\u2028\u2029\u202e\ufeff\ufffe\U0001f600 ${x} {{x}} %s%n")


def say(event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main():
    with open(sys.argv[sys.argv.index("run") + 1], encoding="utf-8") as f:
        script = re.search(r"# fake: (.*)", f.read()).group(1)
    loud = re.search(r"loud=(\d+)", script)
    say({"event": "campaign", "run": "r-1"})
    if loud:
        for _ in range(int(loud.group(1)) * 8):
            say({"event": "note", "level": "info", "text": "x" * (128 << 10)})
    if "hostile" in script:
        say({"event": "trial", "trial": 1, "name": NASTY, "outcome": NASTY, "reason": NASTY, "variant": [NASTY], "seconds": NASTY})
        say({"event": "trial", "trial": 2, "outcome": "fault", "reason": NASTY * 2000, "measures": {NASTY: NASTY}})
        say({"event": "experiment", "name": NASTY, "purpose": NASTY, "mode": NASTY, "boots": NASTY, "seconds_left": NASTY})
        say({"event": "leader", "name": NASTY, "kind": NASTY, "members": [NASTY], "probability": NASTY, "elapsed": NASTY})
        say({"event": NASTY, NASTY: NASTY})
        raw = sys.stdout.buffer
        raw.write(b'{"event":"note","text":"\xff\xfe\xc0\xaf\xed\xa0\x80"}\n')  # no UTF-8: no event
        raw.write(b'{"event":"note","text":"\\u0000"}\n')  # jansson takes no NUL
        raw.write(b'{"event":"note","text":"\x1b[2J\x01"}\n')  # controls that JSON does not allow
        raw.write(b'{"event":"note","text":"' + b"y" * (1 << 20) + b'"}\n')
        raw.write(b'{"event":"note","text":"' + b"[" * 4000 + b'"}\n' + b"[" * 100000 + b"\n")
        raw.flush()
        say({"event": "state", "state": NASTY, "reason": NASTY})
    say({"event": "verdict", "run": "r-1", "kind": NASTY if "hostile" in script else "none", "sentence": NASTY, "reason": NASTY,
         "members": [NASTY], "probability": 0.5, "why": NASTY})


main()
