# How long a campaign will take.
load common

@test "the campaign of the demo: a row for each rate and number of targets" {
  run kexsect plan --draws 20 --q 1,0.5 --targets 2 vtd-window
  status_is 0
  said "vtd-window: 13 candidates"
  said "assumed, nothing was measured yet"
  said "The budget: 300 boots"
  [ "$(grep -c "saves\|loses" <<<"$output")" = 2 ]
}

@test "JSON: costs, budget, and percentiles in order" {
  run kexsect plan --json --draws 40 --q 0.5 --targets 1 --boot-cost 90 --build-cost 300 vtd-window
  status_is 0
  jq -e '[.campaign, .candidates, .costs.boot_s, .costs.build_s, .measured.runs, .budget.boots] ==
    ["vtd-window", 13, 90, 300, 0, 300]' <<<"$output"
  [ "$(jq '.forecasts | length' <<<"$output")" = 1 ]
  [ "$(jq '.forecasts[0] | .seconds.p5 <= .seconds.p50 and .seconds.p50 <= .seconds.p95 and .boots.mean > 5
    and .over_budget >= 0 and .over_budget <= 1 and .draws == 40' <<<"$output")" = true ]
}

@test "dearer boots take longer, and a small budget ends first" {
  run kexsect plan --json --draws 20 --q 0.5 --targets 1 --boot-cost 5 vtd-window
  status_is 0
  quick=$(jq '.forecasts[0].seconds.mean' <<<"$output")
  run kexsect plan --json --draws 20 --q 0.5 --targets 1 --boot-cost 500 vtd-window
  status_is 0
  [ "$(jq ".forecasts[0].seconds.mean > $quick and .forecasts[0].over_budget > 0.5" <<<"$output")" = true ]
}

@test "the same seed gives the same forecast" {
  args=(--json --draws 10 --limit 0 --q 0.5 vtd-window)
  kexsect plan "${args[@]}" --threads 1 >one
  kexsect plan "${args[@]}" --threads 2 >two
  cmp one two
}

@test "no campaign, a wrong rate" {
  run kexsect plan
  status_is 2
  run kexsect plan nowhere
  status_is 1
  run kexsect plan --q 0 vtd-window
  status_is 2
  said "--q 0"
}
