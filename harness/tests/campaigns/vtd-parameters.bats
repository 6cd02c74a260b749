load common

@test "vtd-parameters: iommu=pt of thirteen parameters, and nothing is compiled for a parameter" {
  campaign vtd-parameters
  equal "$(of vtd-parameters .verdict.kind)" cause
  equal "$(of vtd-parameters '.verdict.members | join(" ")')" iommu=pt
  equal "$(of vtd-parameters '.verdict.probability >= 0.99')" true
  equal "$(of vtd-parameters '.repeat.parameters | join(" ")')" iommu=pt
  report_is_sound vtd-parameters

  # one kernel for all of them, usual and from nothing
  equal "$(of vtd-parameters '[.trials[].build] | unique | length')" 1
  equal "$(of vtd-parameters '[.variants[] | select(.status != "ok")] | length')" 0
  # each boot had its own parameters, at the end of the line
  local trials=$KEXSECT_RESULTS/campaigns/vtd-parameters-1/trials
  of vtd-parameters '.trials[] | "\(.number) \(.members | join(" "))"' | while read -r number members; do
    line=$(cat "$(printf '%s/%06d/cmdline' "$trials" "$number")")
    [[ "$line " == *" intel_iommu=on ${members:+$members }kexsect.variant=kx"* ]]
  done
}
