# A target is brought back, or not: the recovery ladder as people and programs see it, on simulated machines.
load common

lab() { # RATES…: one machine, one campaign; its time is fast
  "$SOURCE_ROOT/scripts/simulated-lab" lab --targets 1 --campaigns 1 --speed 40 "$@" >/dev/null
  campaign=lab/configs/campaigns/sim-1.yaml
}

@test "a machine that is well answers at once" {
  lab
  run kexsect health "$campaign" --target sim-m1 --cache "$PWD/cache" --json --no-sandbox
  status_is 0
  echo "$output" | tail -n 1 | jq -e '.event == "result" and .status == "ok" and .healthy and .reason == ""
    and [.steps[].step] == ["start", "launcher"] and all(.steps[]; .ok and .started_us > 0 and .seconds >= 0)'
  run kexsect health "$campaign" --cache "$PWD/cache" --no-sandbox
  status_is 0
  said "healthy: the launcher answers"
}

@test "a machine that never comes back is told with all that was tried" {
  lab --rate no_launcher=1
  run kexsect health "$campaign" --cache "$PWD/cache" --json --no-sandbox
  status_is 1
  echo "$output" | tail -n 1 | jq -e '.status == "failed" and (.healthy | not) and (.reason | contains("in vain"))
    and [.steps[].step] == ["start", "launcher", "reset", "launcher", "power-off", "power-wait", "power-on", "launcher",
      "fresh-start", "launcher"] and (.steps[-1].ok | not) and .steps[-1].limit > 0'
  # a line for each step, before the result
  [ "$(echo "$output" | jq -c 'select(.event == "recovery")' | wc -l)" -eq 10 ]
}

@test "a power control that obeys nobody is not believed" {
  lab --rate no_launcher=1 --bmc ignores=1
  run kexsect health "$campaign" --cache "$PWD/cache" --json --no-sandbox
  status_is 1
  echo "$output" | tail -n 1 | jq -e '[.steps[] | select(.step == "power-on")] | length == 1 and (.[0].ok | not)
    and (.[0].detail | contains("ordered 4×") and contains("still says that it is off")) and .[0].seconds <= .[0].limit + 0.5'
}

@test "a run stops when its target is lost, spends no retry, and goes on when it is back" {
  lab --rate no_launcher=1
  run kexsect run "$campaign" --cache "$PWD/cache" --results "$PWD/results" --json --no-sandbox
  status_is 3
  echo "$output" >events
  jq -se '[.[] | objects | select(.event == "target")] | length == 1 and .[0].target == "sim-m1" and .[0].state == "failed"' \
    <(grep '^{' events)
  jq -se '[.[] | select(.event == "trial")] | length == 1 and .[0].outcome == "infra" and .[0].cause == "machine"
    and .[0].target == "sim-m1"' <(grep '^{' events)
  # what was done lies with the trial
  jq -e '(.recovery.healthy | not) and (.recovery.steps | length > 3)' results/campaigns/sim-1-1/trials/000001/outcome.json
  sed -i 's/no_launcher: 1/no_launcher: 0/' lab/configs/targets/sim-m1.yaml
  run kexsect health "$campaign" --cache "$PWD/cache" --no-sandbox
  status_is 0
  run kexsect run "$campaign" --cache "$PWD/cache" --results "$PWD/results" --plain --no-sandbox
  status_is 0
  said "sim-1-"
}

@test "what cannot be asked" {
  lab
  run kexsect health "$campaign" --target nope
  status_is 1
  said "has no such target"
  run kexsect health
  status_is 2
  echo '{"format": 1, "target": "relative", "launcher_kernel": "/k", "cache": "/c"}' >r.json
  run kexsect job health r.json
  status_is 2
  said "not an absolute path: 'target'"
}
