"""chaos_tamper.py SCRIPTS LAB: damages copies of an undisturbed lab, each in one way, and wants the audit to say so."""
import contextlib
import glob
import json
import os
import shutil
import sqlite3
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import chaos_audit  # noqa: E402


def sql(path, text):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(text)
        db.commit()


def ledger(lab):
    return glob.glob(f"{lab}/machines/*/ledger.jsonl")[0]


def add_line(path, **line):
    with open(path, "a", encoding="utf-8") as f:
        f.write(json.dumps(line) + "\n")


def trial(lab, number):
    return glob.glob(f"{lab}/disk/results/campaigns/*/trials/{number:06d}")[0]


def other_outcome(lab):
    with open(f"{trial(lab, 2)}/outcome.json", encoding="utf-8") as f:
        outcome = json.load(f)
    outcome["outcome"] = "clean" if outcome["outcome"] != "clean" else "fault"
    with open(f"{trial(lab, 2)}/outcome.json", "w", encoding="utf-8") as f:
        json.dump(outcome, f)


def same_boot(lab):
    for leaf in ("console.log", "kmsg.log"):
        shutil.copy(f"{trial(lab, 1)}/{leaf}", f"{trial(lab, 2)}/{leaf}")


STORE, QUEUE = "disk/results/kexsect.db", "disk/state/queue.db"
DAMAGES = [
    ("belongs to no row", lambda lab: sql(f"{lab}/{STORE}", "DELETE FROM trial WHERE number = 2")),
    ("its evidence is not there", lambda lab: shutil.rmtree(trial(lab, 2))),
    ("trial 2: the row says", other_outcome),
    ("counted twice", same_boot),
    ("belongs to no row", lambda lab: os.mkdir(trial(lab, 2)[:-6] + ".000002.part")),
    ("step of the belief", lambda lab: sql(f"{lab}/{STORE}", "DELETE FROM posterior WHERE trial = 2")),
    ("in no trial, and nothing disturbed it",
     lambda lab: add_line(ledger(lab), us=1, pid=1, event="taken", request=f"{lab}/disk/results/campaigns/x/1.json")
     or add_line(ledger(lab), us=1, pid=1, event="boot", boot=9999, version="x", cmdline="")),
    ("of which the machine knows nothing", lambda lab: os.truncate(ledger(lab), 0)),
    ("two jobs", lambda lab: add_line(ledger(lab).replace("ledger", "violations"), us=1, pid=1, violation="two jobs")),
    ("goes on after its verdict",
     lambda lab: sql(f"{lab}/{QUEUE}", "INSERT INTO journal VALUES (NULL, 9e15, 1, 'started', '')")),
    ("2 verdicts", lambda lab: sql(f"{lab}/{QUEUE}", "INSERT INTO journal VALUES (NULL, 9e15, 1, 'verdict', '')")),
    ("still has a lease",
     lambda lab: sql(f"{lab}/{QUEUE}", "INSERT INTO lease VALUES ('sim-m1', 0, 1, 1, 1, '')")),
]


def audit(lab):
    return chaos_audit.audit(f"{lab}/disk/state", f"{lab}/disk/results", f"{lab}/cache", f"{lab}/machines", [])[0]


def main():
    missed = [f"undamaged: {f}" for f in audit(sys.argv[2])]
    with tempfile.TemporaryDirectory() as scratch:
        for i, (wanted, damage) in enumerate(DAMAGES):
            lab = f"{scratch}/{i}"
            shutil.copytree(sys.argv[2], lab, ignore=shutil.ignore_patterns("cache", "lab", "s", "socket"))
            damage(lab)
            found = audit(lab)
            if not any(wanted in f for f in found):
                missed.append(f"damage {i} ('{wanted}') was not seen; found: {found}")
    print("\n".join(missed) or f"{len(DAMAGES)} kinds of damage seen")
    sys.exit(bool(missed))


main()
