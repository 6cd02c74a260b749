# shellcheck shell=bash
# test-systemd --vm: $real, a campaign of the repository, by the service as it is installed. Sourced, after machine.bash.
name=$(basename "$real" .yaml)
wanted=$(awk -F'\t' -v name="$name" '$1 == name { print $2 }' harness/tests/campaigns/truth.tsv)
[ -n "$wanted" ] || { echo "harness/tests/campaigns/truth.tsv does not say what $name comes to"; exit 2; }

# The sources and objects of the cache; what a machine or the compiler's sandbox was used for is to be made by the service.
cache=${KEXSECT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kexsect}
mkdir -p "$cache"
view "$cache" "$root/var/cache/kexsect"
rm -rf "$root"/var/cache/kexsect/{accel,builds,firmware,libvirt,matrix,options,states,vm}

runs() { inside pgrep -f -- "$1" >/dev/null; }
compiles() { runs scripts/Makefile.build; }
machines() { inside pgrep -f 'qemu-system.*guest='; }
# A variant has begun to speak: the launcher is quiet.
boots() { grep -qs "Linux version" "$root/var/lib/kexsect/results/campaigns/$name"-1/trials/.*.part/console.raw; }
nothing_runs() { ! runs 'qemu-system|kexsect|bwrap|make|ccache'; }
boots_after() { has_trials 1 "$1" && boots; } # so many trials
# By systemd. Of a compiler's sandbox the inner processes may still be dying when the daemon has ended.
killed() { inside journalctl -u kexsectd -o cat --no-pager | grep -cE 'Killing process [0-9]+ \((kexsect|exe|qemu)' || true; }
stop() { # daemon, engine, job and QEMU end by themselves
  local begin=$EPOCHREALTIME before
  before=$(killed)
  inside systemctl stop kexsectd
  awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "        stopped in %.2f s\n", b - a }'
  [ "$(show Result)" = success ]
  [ "$(killed)" = "$before" ]
  nothing_runs
}
has_recovered() { grep -qs '"healthy": *true' "$root"/var/lib/kexsect/results/campaigns/"$name"-1/trials/*/outcome.json; }
explain() {
  inside journalctl -u kexsectd -n 30 --no-pager
  inside kexsect status 1
  tail -n 20 "$root"/var/lib/kexsect/submissions/*/*.log
  inside ps -e -o pid,ppid,stat,args
}
progress() { inside kexsect list | tail -n 1; }

step "the machine boots, and the service is the one that is installed"
boot
inside systemctl enable --quiet kexsectd
inside systemctl start kexsectd
active
[ -z "$(show DropInPaths)" ]
cmp "$build/kexsectd.service" "$root$(show FragmentPath)"
inside cat "/proc/$(show MainPID)/status" | grep -E '^(NoNewPrivs:\s1|Seccomp:\s2)$' | paste -sd' '

step "a member of the group submits $name"
as member kexsect submit "$name" >/dev/null

step "stop while the first kernel is compiled"
until_true 300 compiles
stop
inside systemctl start kexsectd

step "reload while a trial boots: it goes on"
until_true 900 boots_after 1
before=$(pid_of 1)
inside systemctl reload kexsectd
until_true 20 inside sh -c 'journalctl -u kexsectd --no-pager | grep -q "the configuration was read again"'
[ "$(pid_of 1)" = "$before" ]

step "kill -9 of all processes of the service while a trial boots"
until_true 600 boots_after 3
daemon=$(show MainPID)
inside systemctl kill -s KILL kexsectd
until_true 5 nothing_runs
until_true 60 another_daemon "$daemon"
progress

step "kill -9 of the daemon alone while a trial boots"
until_true 600 boots_after 5
daemon=$(show MainPID) before=$(machines)
inside systemctl kill -s KILL --kill-whom=main kexsectd
until_true 60 another_daemon "$daemon"
for pid in $before; do inside test ! -e "/proc/$pid"; done
progress

step "a QEMU that is frozen: the machine is brought back"
until_true 600 boots_after 7
inside kill -STOP "$(machines)"
until_true 200 has_recovered
progress

step "stop while a trial boots; start: it goes on"
until_true 600 boots_after 9
stop
inside systemctl start kexsectd

step "a power cut while a trial boots: it goes on after the boot"
until_true 600 boots_after 11
power_cut
boot
until_true 60 active
progress

step "the verdict"
until_true 900 is 1 "done"
progress
[ "$(inside kexsect status 1 --json | jq -r '.submission.verdict.members | join(" ")')" = "$wanted" ]
inside kexsect report --results /var/lib/kexsect/results "$name" --format json >"$work/report.json"
jq -c '{trials: (.trials | length), outcomes: (.trials | group_by(.outcome) | map({(.[0].outcome): length}) | add)}' "$work/report.json"
[ "$(jq -c '[.trials[].number] == [range(1; (.trials | length) + 1)]' "$work/report.json")" = true ]

step "nothing is left"
stop
complaints
left=$(cd "$root/var" && find lib/kexsect cache/kexsect \( -name '.*.part' -o -path '*/vm/[0-9]*' -o -name 'kexsect-*-??????' \) -prune)
left+=$(inside find /tmp /run -maxdepth 2 -name '*kexsect*')
left+=$(cd "$work/root.upper/var/tmp" && find . ! -type c -name '*kexsect*') # whiteouts are devices
left+=$(inside findmnt -rno TARGET | grep kexsect | grep -vx /var/cache/kexsect || true)
[ -z "$left" ] || { echo "left: $left"; exit 1; }
python3 -B - "$root/var" <<'PY'
import sys
sys.path.insert(0, "scripts")
import chaos_audit
var = sys.argv[1]
found, counts = chaos_audit.audit(f"{var}/lib/kexsect", f"{var}/lib/kexsect/results", f"{var}/cache/kexsect", None, [])
print(counts)
for line in found:
    print("FOUND:", line)
sys.exit(bool(found))
PY
echo "all done in $SECONDS s; $(du -sh "$root/var/lib/kexsect" | cut -f1) of state and evidence"
