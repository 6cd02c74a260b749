load common

@test "vtd-mixed: a patch and a parameter that only together end it" {
  campaign vtd-mixed
  equal "$(of vtd-mixed .verdict.kind)" cause
  equal "$(of vtd-mixed '.verdict.members | join(" ")')" "split-enable iommu=pt"
  equal "$(of vtd-mixed '.verdict.probability >= 0.99')" true
  equal "$(of vtd-mixed '.repeat.parameters | join(" ")')" iommu=pt
  equal "$(of vtd-mixed '[.repeat.apply[] | select(endswith("split-enable.patch"))] | length')" 1
  report_is_sound vtd-mixed
  # either one alone was seen to fault
  equal "$(of vtd-mixed '[.verdict.evidence[] | select(.role == "less")] | length')" 2
  # a kernel with and without the parameter is the same one
  equal "$(of vtd-mixed '[.trials[] | select(.clean_build | not) | {build, m: (.members - ["iommu=pt", "iommu.strict=1",
    "intel_iommu=sp_off", "pci=nomsi", "maxcpus=1"])}] | unique | group_by(.m) | all(length == 1)')" true
}
