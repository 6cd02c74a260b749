load common

# answer KEY: of the one commit that the verdict names
answer() { of vtd-history ".verdict.members[0] as \$m | .candidates[] | select(.name == \$m) | $1"; }

@test "vtd-history: the commit that brought a fault of every third boot, past commits that do not compile or hang" {
  campaign vtd-history
  equal "$(of vtd-history .verdict.kind)" cause
  equal "$(of vtd-history .verdict.effect)" causes
  equal "$(of vtd-history '.verdict.members | length')" 1
  equal "$(answer .number)" 13
  equal "$(answer .title)" 'iommu: Refresh reserved regions when all devices are there'
  equal "$(of vtd-history '.verdict.probability >= 0.99')" true
  # it was a race: commits that have it had boots of both kinds
  equal "$(of vtd-history '[.trials[] | select(.outcome == "fault")] | length > 0')" true
  equal "$(of vtd-history '[.trials[] | select(.outcome == "clean")] | length > 10')" true
  report_is_sound vtd-history
}
