load common

@test "vtd-two-causes: it takes both patches" {
  campaign vtd-two-causes
  equal "$(of vtd-two-causes .verdict.kind)" cause
  equal "$(of vtd-two-causes '.verdict.members | sort | join(" ")')" "keep-mapped split-enable"
  equal "$(of vtd-two-causes .verdict.effect)" cures
  equal "$(of vtd-two-causes '.verdict.probability >= 0.99')" true
  report_is_sound vtd-two-causes
}
