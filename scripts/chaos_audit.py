"""What must hold after a lab was disturbed: see docs/chaos.md. Each finding is a line of text."""
import contextlib
import fcntl
import glob
import json
import os
import re
import sqlite3

BOOT_LINE = re.compile(r"DMI: simulated machine (\S+), boot (\d+) ")
SLACK_US = 3_000_000  # from the death of a parent to the end of the last child, on a busy machine


def open_db(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    return contextlib.closing(db)


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def check_integrity(paths, found):
    for path in paths:
        with open_db(path) as db:
            said = [r[0] for r in db.execute("PRAGMA integrity_check")]
            if said != ["ok"]:
                found.append(f"{path}: integrity_check: {said[:3]}")
            broken = db.execute("PRAGMA foreign_key_check").fetchall()
            if broken:
                found.append(f"{path}: {len(broken)} rows refer to what is not there")


def check_journal(queue, found):
    """Each submission: submitted first, one verdict, nothing after it; ids ascend with time."""
    rows = queue.execute("SELECT * FROM journal ORDER BY id").fetchall()
    for a, b in zip(rows, rows[1:]):
        if b["time_us"] + 1_000_000 < a["time_us"]:
            found.append(f"journal {b['id']}: older than {a['id']}")
    for s in queue.execute("SELECT * FROM submission"):
        kinds = [r["kind"] for r in rows if r["submission"] == s["id"]]
        if kinds.count("submitted") != 1 or kinds[:1] != ["submitted"]:
            found.append(f"journal of submission {s['id']} does not begin with one 'submitted': {kinds[:3]}")
        if kinds.count("verdict") != (s["state"] == "done"):
            found.append(f"submission {s['id']} is {s['state']}, and its journal has {kinds.count('verdict')} verdicts")
        if "verdict" in kinds and kinds[-1] != "verdict":
            found.append(f"journal of submission {s['id']} goes on after its verdict: {kinds[-3:]}")
        if "started" not in kinds:
            found.append(f"submission {s['id']} was never started")
    for lease in queue.execute("SELECT * FROM lease"):
        found.append(f"queue.db still has a lease: {lease['target']} for submission {lease['submission']}")


def boot_of(folder):
    """The machine and number of the boot that a folder is evidence of; None: no kernel spoke."""
    for leaf in ("console.log", "kmsg.log"):
        path = os.path.join(folder, leaf)
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as f:
                seen = BOOT_LINE.findall(f.read())
            if seen:
                return seen[-1][0], int(seen[-1][1])
    return None


def check_run(store, run, found, boots, simulated):
    """Rows against folders; fills boots: (machine, number) to (run, trial)."""
    trials = store.execute("SELECT * FROM trial WHERE campaign = ? ORDER BY number", (run["id"],)).fetchall()
    posteriors = {r[0] for r in store.execute(
        "SELECT trial FROM posterior WHERE trial IN (SELECT id FROM trial WHERE campaign = ?)", (run["id"],))}
    folder = run["dir"]
    there = set(os.listdir(f"{folder}/trials")) if os.path.isdir(f"{folder}/trials") else set()
    counts = dict(rows=len(trials), infra=0, lost_folders=0)
    for t in trials:
        name = f"{t['number']:06d}"
        where = f"{run['slug']} trial {t['number']}"
        infra = t["outcome"] == "infra"
        counts["infra"] += infra
        if (t["id"] in posteriors) == infra:
            found.append(f"{where}: {t['outcome']}, and {'a' if infra else 'no'} step of the belief")
        if not t["evidence"]:
            if not infra:
                found.append(f"{where}: {t['outcome']} without evidence")
            continue
        if name not in there:
            found.append(f"{where}: its evidence is not there")
            continue
        there.discard(name)
        with open(f"{folder}/trials/{name}/outcome.json", encoding="utf-8") as f:
            outcome = json.load(f)
        if (outcome["trial"], outcome["outcome"]) != (t["number"], t["outcome"]):
            found.append(f"{where}: the row says {t['outcome']}, its evidence {outcome['outcome']} of {outcome['trial']}")
        if not simulated:
            continue
        boot = boot_of(f"{folder}/trials/{name}")
        if not boot:
            # noboot says just that: nothing spoke
            if t["outcome"] not in ("infra", "noboot"):
                found.append(f"{where}: {t['outcome']}, and no machine says that it booted")
            continue
        if boot in boots:
            found.append(f"{where}: the same boot of {boot[0]} as {boots[boot]}: counted twice")
        if boot[0] != t["target"]:
            found.append(f"{where}: on {t['target']}, and {boot[0]} booted")
        boots[boot] = (run["slug"], t["number"], infra, outcome.get("identity"))
    for name in sorted(there):
        if name != "repeats":
            found.append(f"{run['slug']}: trials/{name} belongs to no row")
    return counts


def explained(boot_us, machine, ledger, at, disturbances):
    """Why a boot of a machine is in no trial: who was to tell of it was disturbed before it could."""
    end_us = next((e["us"] for e in ledger[at + 1:] if e["event"] in ("boot", "taken")), boot_us) + SLACK_US
    end_us = max(end_us, boot_us + SLACK_US)
    return any(boot_us - SLACK_US <= d["us"] <= end_us and (d["targets"] is None or machine in d["targets"])
               for d in disturbances)


def check_machines(folder, boots, results, disturbances, found):
    """The machines' own books against all evidence."""
    counts = dict(boots=0, in_trials=0, preflight=0, given_up=0, orders=0, violations=0)
    known = set()
    for path in sorted(glob.glob(f"{folder}/*/")):
        name = os.path.basename(path.rstrip("/"))
        for v in lines_of(f"{path}/violations.jsonl"):
            counts["violations"] += 1
            found.append(f"machine {name}: {v['violation']}")
        ledger = lines_of(f"{path}/ledger.jsonl")
        counts["orders"] += sum(e["event"] == "bmc" for e in ledger)
        user = ""
        for at, e in enumerate(ledger):
            user = e["request"] if e["event"] == "taken" else user
            if e["event"] != "boot":
                continue
            key = (name, e["boot"])
            counts["boots"] += 1
            if key in known:
                found.append(f"machine {name}: two boots have the number {e['boot']}")
            known.add(key)
            if key in boots:
                counts["in_trials"] += 1
                identity = boots[key][3]
                if identity and f"#{identity} " not in e["version"] + " ":
                    found.append(f"machine {name} boot {e['boot']}: ran {e['version']}, its trial says {identity}")
            elif not user.startswith(results + "/"):
                counts["preflight"] += 1
            else:
                counts["given_up"] += 1
                if not explained(e["us"], name, ledger, at, disturbances):
                    found.append(f"machine {name} boot {e['boot']}: in no trial, and nothing disturbed it")
        state = {"boots": 0}
        if os.path.exists(f"{path}/machine.json"):
            with open(f"{path}/machine.json", encoding="utf-8") as f:
                state = json.load(f)
        last = max((n for m, n in known if m == name), default=0)
        if state["boots"] < last:
            found.append(f"machine {name}: counts {state['boots']} boots, its book {last}")
    for key, trial in boots.items():
        if key not in known:
            found.append(f"{trial[0]} trial {trial[1]}: boot {key[1]} of {key[0]}, of which the machine knows nothing")
    return counts


def held_locks(*folders):
    held = []
    for folder in folders:
        for root, _, files in os.walk(folder):
            for name in files:
                path = os.path.join(root, name)
                if not (name.endswith("lock") or "/leases" in root) or os.path.islink(path):
                    continue
                with open(path, "rb") as f:
                    try:
                        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except OSError:
                        held.append(path)
    return held


def half_written(*folders):
    """Temporary files of atomic writes (NAME.XXXXXX) whose writer was killed before it could rename them."""
    return [os.path.join(root, name) for folder in folders for root, _, files in os.walk(folder)
            for name in files if re.search(r"\.[A-Za-z0-9]{6}$", name) and not re.search(r"\.(sqlite|config)$", name)]


def complaints(*folders):
    """What programs say of mistakes of their own: sanitizers, assertions."""
    said = re.compile(rb"AddressSanitizer|LeakSanitizer|runtime error:|-CRITICAL \*\*|Assertion .* failed")
    found = []
    for folder in folders:
        for path in glob.glob(f"{folder}/**/*.log", recursive=True):
            with open(path, "rb") as f:
                for line in f:
                    if said.search(line):
                        found.append(f"{path}: {line.decode(errors='replace').strip()[:200]}")
                        break
    return found


def mounts_below(folder):
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return [line.split()[4] for line in f if line.split()[4].startswith(folder + "/")]


def audit(state, results, cache, machines, disturbances):
    """Returns the findings and the counts. `machines`: None when they are no simulated ones, which keep no books; their
    cache is not ours alone, either."""
    found, boots = [], {}
    check_integrity([f"{state}/queue.db", f"{results}/kexsect.db"], found)
    totals = dict(runs=0, rows=0, infra=0)
    with open_db(f"{state}/queue.db") as queue:
        check_journal(queue, found)
    with open_db(f"{results}/kexsect.db") as store:
        for run in store.execute("SELECT * FROM campaign ORDER BY id").fetchall():
            run = dict(run) | {"dir": f"{results}/campaigns/{run['slug']}"}
            totals["runs"] += 1
            if run["state"] != "done":
                found.append(f"run {run['slug']} is {run['state']}")
            counts = check_run(store, run, found, boots, machines is not None)
            totals["rows"] += counts["rows"]
            totals["infra"] += counts["infra"]
    if machines:
        totals |= check_machines(machines, boots, results, disturbances, found)
    totals["half_written"] = len(half_written(state, results))
    found += complaints(os.path.dirname(os.path.dirname(state)))
    for path in held_locks(state, results, *((cache, machines) if machines else ())):
        found.append(f"a lock is held: {path}")
    return found, totals
