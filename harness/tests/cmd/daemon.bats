load common

# The real daemon, with an engine that is a line of shell: what the commands say is the matter here.
start_daemon() {
  export KEXSECT_SOCKET=$PWD/state/socket
  cat >engine <<'END'
#!/bin/bash
echo '{"event":"campaign","run":"vtd-window-1","name":"vtd-window","elapsed":0}'
echo '{"event":"trial","trial":1,"outcome":"fault","name":"a","elapsed":1}'
[ -e go ] || { trap exit TERM; while [ ! -e go ]; do sleep 0.05; done; }
echo '{"event":"verdict","run":"vtd-window-1","kind":"cause","probability":0.995,"sentence":"a cures the fault\u001b[2J","reason":"r"}'
END
  chmod +x engine
  "$BUILD_ROOT/kexsectd" --state state --config kexsectd.yaml --engine "$PWD/engine" 3>&- &
  daemon=$!
  for _ in $(seq 100); do kexsect list >/dev/null 2>&1 && return; sleep 0.05; done
  return 1
}

teardown() {
  [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null || true; wait "$daemon" || true; }
}

wait_for() { # ID STATE
  for _ in $(seq 200); do
    kexsect status "$1" --json | grep -q "\"state\":\"$2\"" && return
    sleep 0.05
  done
  kexsect status "$1" >&2
  return 1
}

@test "submit, list, status, pause, resume, cancel, watch" {
  echo 'limits: {disk_free_gib: 0}' >kexsectd.yaml
  start_daemon
  run kexsect submit vtd-window --priority 5 --hours 1.5 --boots 30 --compile-minutes 9
  status_is 0
  said "submission 1: vtd-window is queued"
  hours=$(date -d '11 hours' +%H:%M)-$(date -d '12 hours' +%H:%M) # not now
  run kexsect submit vtd-two-causes --window "$hours" --json
  status_is 0
  said "\"window\":\"$hours\""
  wait_for 1 running
  run kexsect list
  status_is 0
  said "vtd-window"
  run kexsect pause 1
  status_is 0
  wait_for 1 paused
  run kexsect cancel 2
  status_is 0
  said "cancelled"
  run kexsect cancel 2
  status_is 1
  said "is cancelled"
  run kexsect resume 1
  status_is 0
  wait_for 1 running
  touch go
  run kexsect watch 1
  status_is 0
  said "a cures the fault"
  [[ $output != *$'\e'* ]] # what an engine says cannot command a terminal
  run kexsect status 1
  said "(p = 0.995)"
  run kexsect list --json --state done
  said '"verdict":{'
  "$BUILD_ROOT/kexsectd" --state state --backup copy.db
  [ "$(sqlite3 copy.db 'select count(*) from submission')" = 2 ]
  run "$BUILD_ROOT/kexsectd" --state state
  status_is 1
  said "held by process"
}

@test "targets: list, quarantine, check, release" {
  printf 'limits: {disk_free_gib: 0}\ntargets: [{name: rack-1}]\n' >kexsectd.yaml
  start_daemon
  run kexsect target quarantine rack-1 --reason "the fan is new"
  status_is 0
  said "quarantined"
  run kexsect target list
  status_is 0
  [[ $output =~ rack-1\ +quarantined\ .*"the fan is new" ]]
  run kexsect target check rack-1 # nobody has said what it is
  status_is 1
  said "no campaign that was submitted says"
  run kexsect target release rack-1 --json
  status_is 0
  said '"health":"ok"'
  run kexsect target release rack-2
  status_is 1
  said "there is no target rack-2"
  for wrong in "target" "target mend rack-1" "target release" "target list rack-1" "target release rack-1 --reason x"; do
    run kexsect $wrong
    status_is 2
  done
}

@test "a preflight is shown" {
  printf 'limits: {disk_free_gib: 0}\npreflight: quick\n' >kexsectd.yaml
  start_daemon
  cat >engine <<'END'
#!/bin/bash
[ "$1" = check ] || exit 1
echo '{"ok":false,"verdict":"wrong","machine":0,"checks":[{"group":"boot","state":"bad","what":"the base","detail":"0 of 30 boots fault\u001b[2J"}],"matrix":null}'
exit 1
END
  run kexsect submit vtd-window
  status_is 0
  wait_for 1 failed
  run kexsect list
  said "preflight: the base: 0 of 30 boots fault"
  run kexsect status 1
  status_is 0
  said "preflight    wrong: the base: 0 of 30 boots fault"
  said "bad: the base"
  [[ $output != *$'\e'* ]]
  run kexsect submit vtd-two-causes --no-preflight --json
  status_is 0
  said '"verdict":"skipped"'
}

@test "mistakes are told" {
  run kexsect list --socket nowhere
  status_is 1
  said "no daemon listens on nowhere"
  echo 'limits: {campaigns: many}' >kexsectd.yaml
  run "$BUILD_ROOT/kexsectd" --state state --config kexsectd.yaml
  status_is 1
  said "kexsectd.yaml:1:"
  run "$BUILD_ROOT/kexsectd" --fly
  status_is 2
  echo 'limits: {disk_free_gib: 0}' >kexsectd.yaml
  start_daemon
  run kexsect submit no-such-campaign
  status_is 1
  said "no campaign 'no-such-campaign'"
  # whatever the daemon's own configs/ are: the snapshot brings what the campaign names
  mkdir data && cp -r "$SOURCE_ROOT"/{configs,kernels,patches} data/
  cp data/configs/campaigns/vtd-window.yaml outside.yaml
  KEXSECT_DATA=$PWD/data run kexsect submit outside.yaml
  status_is 0
  rm -r data
  wait_for 1 running
  run kexsect submit vtd-window --window always
  status_is 1
  said "'always' is no time window"
  run kexsect submit vtd-window --priority 101
  status_is 2
  run kexsect status x
  status_is 2
  run kexsect status 7
  status_is 1
  said "there is no submission 7"
}
