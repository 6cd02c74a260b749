# shellcheck shell=bash
# A machine of its own for test-systemd: a container with systemd over a copy-on-write view of this machine, kexsect installed in it.
# Sourced; $build is the build. Gives $work (a folder that ends with it), $root (its files, from outside) and the functions below.
skip() { echo "skipped: $1"; exit 77; }
[ "$(id -u)" = 0 ] || skip "this needs root"
command -v systemd-nspawn systemd-analyze >/dev/null || skip "this needs systemd-nspawn (package systemd-container)"
[ -x /lib/systemd/systemd ] || skip "this needs systemd"

machine=kexsect-test-$$
work=$(mktemp -d /tmp/kexsect-systemd-XXXXXX)
root=$work/root
container=
init=
explain() { inside journalctl -u kexsectd -n 30 --no-pager; } # a failure
# What systemd-nspawn makes below our own cgroup, and cannot remove when it is killed.
leave_no_cgroup() {
  local own
  own=$(sed -n 's/^0:://p' /proc/self/cgroup)
  find {"$(findmnt -n -o TARGET -t cgroup2 | head -n 1)",/sys/fs/cgroup/systemd}"$own"/{payload,supervisor} \
    -depth -type d -exec rmdir {} \; 2>/dev/null || true
}
end() {
  status=$?
  if [ -n "$init" ] && [ $status != 0 ]; then explain || true; fi
  [ -z "$container" ] || power_cut
  leave_no_cgroup
  umount -l "$root" "$work" 2>/dev/null || true
  rmdir "$work"
  [ $status = 0 ] || [ $status = 77 ] || echo "FAILED after: ${step-nothing}"
}
trap end EXIT
mount -t tmpfs -o size=16g kexsect-test "$work" || skip "this needs mounts"
view() { # FOLDER PLACE: a copy-on-write view of it
  local at=$work/${2##*/}
  mkdir -p "$at".{upper,work} "$2"
  mount -t overlay -o "lowerdir=$1,upperdir=$at.upper,workdir=$at.work" overlay "$2"
}
view / "$root" || skip "this needs overlayfs"

# ---- what the machine has

rm -rf "$root"/etc/systemd/system/{*.wants,kexsect*} "$root"/etc/kexsect "$root"/var/{lib,cache}/kexsect "$root"/var/{log,tmp}/*
DESTDIR=$root cmake --install "$build" >/dev/null
mkdir -p "$root"/{etc/kexsect,srv/lab,var/log/journal}
rm -f "$root/etc/machine-id"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
echo "kexsect:x:4711:member" >>"$root/etc/group"
echo "member:x:4712:4712::/srv/lab:/bin/sh" >>"$root/etc/passwd"
echo "member:x:4712:" >>"$root/etc/group"
echo "stranger:x:4713:4712::/srv/lab:/bin/sh" >>"$root/etc/passwd"
printf 'socket_group: kexsect\nlisten: none\n' >"$root/etc/kexsect/kexsectd.yaml"

# ---- how it is driven

# With the cgroup version and the system call that DevicePolicy= takes.
boot() {
  local kvm=()
  [ ! -e /dev/kvm ] || kvm=(--bind=/dev/kvm)
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn -q -b -D "$root" --register=no --keep-unit --private-network \
    --machine="$machine" --link-journal=no --console=pipe --system-call-filter=bpf "${kvm[@]}" \
    systemd.unit=multi-user.target >"$work/console" 2>&1 </dev/null &
  container=$!
  for _ in $(seq 300); do
    init=$(pgrep -P "$container" -x systemd || true)
    if [ -n "$init" ] && inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; then return; fi
    kill -0 "$container" 2>/dev/null || break
    sleep 0.2
  done
  cat "$work/console"
  skip "a container with systemd does not start here"
}
inside() { nsenter -t "$init" -m -u -i -n -p -C env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
as() { local user=$1; shift; inside runuser -u "$user" -- env HOME=/srv/lab "$@"; }
# Its first process is killed, and so all: the machine would outlive systemd-nspawn, which ends when all have.
power_cut() { kill -KILL "${init:-$container}" || true; wait "$container" || true; container=; init=; }
show() { inside systemctl show -P "$1" kexsectd; }
state() { inside kexsect status "$1" --json | jq -r .submission.state; }
pid_of() { inside kexsect status "$1" --json | jq -r '.submission.pid // 0'; }
trials() { inside kexsect status "$1" --json | jq -r '.submission.progress.trials // 0'; }
until_true() { # SECONDS COMMAND…
  local end=$((SECONDS + $1)); shift
  until "$@"; do
    if [ $SECONDS -ge $end ]; then echo "in vain: $*"; return 1; fi
    sleep 0.2
  done
}
is() { [ "$(state "$1" 2>/dev/null)" = "$2" ]; }
active() { [ "$(show ActiveState)/$(show SubState)" = active/running ]; }
another_daemon() { active && [ "$(show MainPID)" != "$1" ]; }
has_trials() { [ "$(trials "$1" 2>/dev/null || echo 0)" -ge "$2" ]; }
step() { step=$1; printf '%4ds  %s\n' $SECONDS "$1"; }
complaints() { # of the service; its journal is in $work/journal then
  inside journalctl -u kexsectd --no-pager >"$work/journal"
  ! grep -iE 'AddressSanitizer|core-dump|criti' "$work/journal" | grep -v "watchdog\|SIGABRT"
}
