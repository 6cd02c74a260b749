# The search on simulated labs.
load common

@test "a table: a head and a row for each policy" {
  run kexsect simulate --n 16 --q 0.9 --trials 20 --policy fixed-1,greedy-told
  status_is 0
  [ "${#lines[@]}" = 3 ]
  [[ ${lines[0]} == space*boots*bound*ratio* ]]
  [[ ${lines[1]} == history*fixed-1* ]]
  [[ ${lines[2]} == history*greedy-told* ]]
}

@test "JSON: an array with an object for each combination, and its keys" {
  run kexsect simulate --json --n 8,16 --q 0.9,0.5 --trials 20 --policy fixed-1
  status_is 0
  [ "$(jq -c 'map([.n, .q])' <<<"$output")" = '[[8,0.9],[8,0.5],[16,0.9],[16,0.5]]' ]
  [ "$(jq -r 'all(has("space") and has("n") and has("d") and has("q") and has("eps") and has("policy")
    and has("trials") and has("boots_mean") and has("boots_p95") and has("builds_mean") and has("switches_mean")
    and has("minutes_mean") and has("wrong") and has("inconclusive") and has("bound") and has("ratio")
    and has("calibration"))' <<<"$output")" = true ]
  jq -e '.[0].boots_mean == 3' <<<"$output"
}

@test "the same seed gives the same rows on any number of threads" {
  args=(--json --space patches --n 8 --trials 20 --policy all)
  kexsect simulate "${args[@]}" --threads 1 >one
  kexsect simulate "${args[@]}" --threads 3 >three
  cmp one three
  kexsect simulate "${args[@]}" --seed 2 >other
  run cmp -s one other
  status_is 1
}

@test "kexsect searches every space" {
  for space in L S C P O; do
    run kexsect simulate --json --space $space --n 8 --q 1 --trials 10 --policy kexsect
    status_is 0
    jq -e '.[0].wrong == 0 and .[0].inconclusive == 0' <<<"$output"
  done
}

@test "robustness is history and patches, each with every trouble" {
  run kexsect simulate --json --space robustness --n 8 --trials 2 --policy fixed-1,prefix
  status_is 0
  [ "$(jq -c '[.[] | .space + " " + .trouble] | unique | length' <<<"$output")" = 8 ]
}

@test "costs are counted" {
  run kexsect simulate --json --n 16 --trials 5 --policy fixed-1 --build-cost 60 --boot-cost 120
  status_is 0
  jq -e '.[0].minutes_mean == 12' <<<"$output" # 4 builds, 4 boots
}

@test "what makes no sense is wrong usage and says what is wanted" {
  run kexsect simulate --q 2
  status_is 2
  said "--q 2: a number from"
  run kexsect simulate --space moon
  status_is 2
  said "robustness (R) is wanted"
  run kexsect simulate --policy nobody
  status_is 2
  said "no such policy"
  run kexsect simulate --space history --policy ddmin
  status_is 2
  said "no such policy for this space"
  run kexsect simulate --space patches --n 65
  status_is 2
  said "n = 65"
}

@test "an interrupt prints what is finished" {
  "$KEXSECT" simulate --n 1024 --q 0.1 --trials 1000000 --policy fixed-1,fixed-10 --json >out 2>err 3>&- &
  pid=$!
  sleep 1
  kill -TERM $pid
  status=0
  wait $pid || status=$?
  [ $status = 1 ]
  jq -e 'length <= 2' out
  grep -q stopped err
}
