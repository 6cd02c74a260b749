load common

answer() { of vtd-history-fix ".verdict.members[0] as \$m | .candidates[] | select(.name == \$m) | $1"; }

@test "vtd-history-fix: the commit that fixed a fault of every third boot" {
  campaign vtd-history-fix
  equal "$(of vtd-history-fix .verdict.kind)" cause
  equal "$(of vtd-history-fix .verdict.effect)" cures
  equal "$(of vtd-history-fix '.verdict.members | length')" 1
  equal "$(answer .number)" 27
  equal "$(answer .title)" 'iommu: Leave reserved regions alone that are mapped already'
  equal "$(of vtd-history-fix '.verdict.probability >= 0.99')" true
  report_is_sound vtd-history-fix
}
