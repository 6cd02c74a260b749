# Single boots on the real machine: what the campaigns do not happen to meet.
load common

# build NAME CANDIDATE…: makes $NAME.json, the result of building the base with the fixture and these
build() {
  local out=$BATS_FILE_TMPDIR/$1.json fixtures='["markers", "reintroduce-window"]'
  [ "$1" != launcher ] || fixtures='[]'
  shift
  jq -n --arg root "$SOURCE_ROOT" --argjson fixtures "$fixtures" '{format: 1, clean: false,
    recipe: ($root + "/kernels/linux-6.1.yaml"), series: ($root + "/patches/vtd-6.1/series.yaml"),
    fixtures: $fixtures, candidates: $ARGS.positional}' --args "$@" >"$out.request"
  "$KEXSECT" job build "$out.request" | tail -n 1 >"$out"
}

# request KERNEL [JQ-FILTER]: prints the request of one boot of it, changed by the filter
request() {
  jq -n --arg root "$SOURCE_ROOT" --arg here "$BATS_TEST_TMPDIR" --slurpfile k "$BATS_FILE_TMPDIR/$1.json" \
    --slurpfile l "$BATS_FILE_TMPDIR/launcher.json" --arg cache "${KEXSECT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kexsect}" \
    '{format: 1, target: ($root + "/configs/targets/vm-vtd.yaml"), oracle: ($root + "/configs/oracles/vtd-window.yaml"),
      kernel: $k[0].kernel, identity: $k[0].identity, launcher_kernel: $l[0].kernel, cmdline: "intel_iommu=on",
      cache: $cache, evidence: ($here + "/trials")} | '"${2-.}"
}

# boot KERNEL [JQ-FILTER]: boots it; the trial line is in trial.json
boot() {
  request "$@" >r.json
  "$KEXSECT" job boot r.json >lines.json
  jq -c 'select(.event == "trial")' lines.json | tail -n 1 >trial.json
}

outcome_is() {
  equal "$(jq -r .outcome trial.json)" "$1"
  echo "# $(jq -r '"\(.outcome): \(.reason)"' trial.json)" >&3
}

setup_file() {
  export KEXSECT_DATA=$SOURCE_ROOT
  build launcher
  build fixture
  build hang audit-lock
  build panic strict-rmrr
}

@test "a kernel with the window faults, from the launcher and cold" {
  # on a busy machine the device now and then misses the window: once in hundreds of boots
  boot fixture '.boots = 3 | .stop_at = ["fault"]'
  outcome_is fault
  jq -e '.measures.faults > 0 and .faults[0].device == "0000:00:02.0"' trial.json
  boot fixture '.mode = "cold" | .first = 4 | .boots = 3 | .stop_at = ["fault"]'
  outcome_is fault
  # the evidence says how to make the trial again, and doing so works
  bash "$(jq -r .evidence trial.json)/repeat" |
    jq -se 'map(select(.event == "trial"))[0].outcome == "fault"'
}

@test "a kernel that hangs is a hang, with a trace" {
  boot hang
  outcome_is hang
  # asked for by SysRq, which a kernel hears once its console is open, and by an NMI, which all hear
  jq -e '.trace == "trace.log" and .traces[0].step == "sysrq-l" and (.traces[-1] | .step == "nmi" and .ok)' trial.json
  grep -aq 'Call Trace' "$(jq -r .evidence trial.json)/trace.log"
  grep -aq 'kexsect: NMI sent for a trace' "$(jq -r .evidence trial.json)/console.log"
}

@test "a kernel that panics is a panic, and the next boot is not affected" {
  boot panic
  outcome_is panic
  boot launcher '.first = 2'
  outcome_is clean
}

@test "a wrong kernel is the lab's failure" {
  boot fixture '.identity = "kx000000000000"'
  outcome_is infra
  jq -e '.reason | contains("wrong kernel")' trial.json
}

@test "a file that is no kernel is the lab's failure, with what kexec said" {
  head -c 100000 /dev/urandom >garbage
  boot fixture ".kernel = \"$PWD/garbage\""
  outcome_is infra
  jq -e '.reason | contains("kexec")' trial.json
}

@test "a target that never boots: launcher without a kernel" {
  head -c 100000 /dev/urandom >garbage
  sed 's/launcher: 60/launcher: 5\n  power: 4/' "$SOURCE_ROOT/configs/targets/vm-vtd.yaml" >vm.yaml
  mkdir -p acpi && sed -i "s|dmar-q35-uhci .*|$SOURCE_ROOT/configs/acpi/dmar-q35-uhci.dsl|" vm.yaml
  request fixture ".launcher_kernel = \"$PWD/garbage\" | .target = \"$PWD/vm.yaml\" | .cache = \"$PWD/cache\"" >r.json
  run kexsect job boot r.json
  equal "$status" 1
  [[ $output == *launcher* ]]
  # the ladder was climbed to its end, and the job says that the target is lost
  jq -se '.[-1].target == "failed" and (.[-1].reason | contains("in vain"))
    and any(.[]; .event == "trial" and .outcome == "infra" and .cause == "machine" and (.recovery.healthy | not))' \
    <(grep '^{' <<<"$output")
}

# machine_of PID: the QEMU among the descendants of a job
machine_of() {
  local p a
  for p in $(pgrep -f '^[^ ]*qemu-system'); do
    for ((a = p; a > 1; )); do
      [ "$a" != "$1" ] || echo "$p"
      a=$(ps -o ppid= -p "$a" | tr -d ' ') && [ -n "$a" ] || break
    done
  done
}

# strike SIGNAL: sends it to the machine of the job that boots the hanging kernel, when that runs
strike() {
  request hang '.boots = 1' >r.json
  sed -i 's|"target": ".*"|"target": "'"$PWD"'/vm.yaml"|' r.json
  sed "s/silence: .*/silence: 5/; s|dmar-q35-uhci .*|$SOURCE_ROOT/configs/acpi/dmar-q35-uhci.dsl|" \
    "$SOURCE_ROOT/configs/targets/vm-vtd.yaml" >vm.yaml
  "$KEXSECT" job boot r.json >lines.json &
  job=$!
  for _ in $(seq 300); do
    grep -q '"step":"boot"' lines.json && break
    sleep 0.1
  done
  kill "-$1" "$(machine_of $job)"
  wait $job
  jq -c 'select(.event == "trial")' lines.json >trial.json
  outcome_is infra
  jq -e '.cause == "machine" and .end == "machine-died" and .recovery.healthy' trial.json
}

@test "a machine that is killed is the lab's failure, and comes back" {
  strike KILL
  jq -e '.recovery.steps[-1] | .step == "launcher" and .ok' trial.json
}

@test "a machine that stands still is not taken for a kernel that hangs" {
  strike STOP
  jq -e '.recovery.steps | any(.step == "power-off" and .ok)' trial.json
}

@test "a target is healthy" {
  run kexsect health vtd-window --json
  equal "$status" 0
  tail -n 1 <<<"$output" | jq -e '.healthy and .steps[-1].step == "launcher"'
}

@test "nothing is left running after kill -9 of the job" {
  request fixture '.boots = 50' >r.json
  "$KEXSECT" job boot r.json >lines.json &
  pid=$!
  for _ in $(seq 100); do
    [ "$(grep -c '"event":"trial"' lines.json)" -ge 2 ] && break
    sleep 0.3
  done
  kill -9 $pid
  wait $pid || true
  sleep 2
  run pgrep -af "qemu-system.*kexsect"
  equal "$output" ""
  # and what was told is whole
  jq -r 'select(.event == "trial") | .evidence' lines.json | while read -r e; do [ -s "$e/outcome.json" ]; done
}

@test "the same campaign twice at once is refused, and says who holds it" {
  "$KEXSECT" run --plain vtd-window >first.log 2>&1 &
  pid=$!
  for _ in $(seq 200); do
    grep -q 'trial' first.log && break
    sleep 0.3
  done
  run kexsect run --plain vtd-window
  kill -TERM $pid
  wait $pid || true
  equal "$status" 1
  [[ $output == *"process $pid"* ]]
  grep -q 'goes on where it stopped' first.log
}
