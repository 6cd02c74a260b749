load common

@test "vtd-flaky: the cure of a fault that only some boots show" {
  campaign vtd-flaky
  equal "$(of vtd-flaky .verdict.kind)" cause
  equal "$(of vtd-flaky '.verdict.members | join(" ")')" keep-mapped
  equal "$(of vtd-flaky '.verdict.probability >= 0.99')" true
  # it was a race: variants without the cure had boots of both kinds
  equal "$(of vtd-flaky '[.trials[] | select((.members | index("keep-mapped") | not) and .outcome == "clean")] | length > 0')" true
  report_is_sound vtd-flaky
}
