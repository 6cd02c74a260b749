load common

# cell SET MODE FILTER: a figure of the table
cell() {
  of amd-survey "[.survey.rows[] | select((.members | join(\" \")) == \"$1\") | .cells[] | select(.mode == \"$2\")][0] | $3"
}

# counts MODE: what each variant measures, as "least most boots"
counts() {
  for set in '' split-before-attach split-device-table; do
    cell "$set" "$1" '.measures.accesses | "\(.min) \(.max) \(.boots)"'
  done | paste -sd ,
}

@test "amd-survey: how much of the window each form of the split leaves, exactly" {
  # at one phase of the controller's frame, cold boots are exactly the same
  sed '/^  phase:/d' "$SOURCE_ROOT/configs/targets/vm-amd.yaml" >exact.yaml
  sed 's|\[vm-amd\]|[./exact.yaml]|' "$SOURCE_ROOT/configs/campaigns/amd-survey.yaml" >survey.yaml
  # killed in the middle, it goes on
  timeout --signal=KILL 40 "$KEXSECT" run --plain ./survey.yaml >killed.log 2>&1 || true
  campaign ./survey.yaml
  equal "$(of amd-survey .verdict.kind)" table
  equal "$(of amd-survey .survey.complete)" true
  equal "$(of amd-survey '.survey.rows | map(.status) | unique | join(" ")')" booted
  report_is_sound amd-survey

  # docs/intel-and-amd.md
  equal "$(counts cold)" '342 342 2,4 4 2,0 0 2'
  equal "$(cell '' kexec .outcomes.fault)" 2
  equal "$(cell split-device-table kexec .outcomes.clean)" 2
  # a window that is as long in each cold boot
  equal "$(cell '' cold '.measures.window_us | .min == .max and .min > 0')" true

  # what can be read off it
  of amd-survey '.survey.statements[]' >statements
  grep -q '^No boot faults with: split-device-table\.$' statements
  grep -q '^split-device-table, of 2 comparisons .*: it removes all faults in 2\.$' statements
  grep -q '^cold: all boots of a kernel count the same' statements

  # another boot of each is no new question: no boot is lost
  sed 's/boots: 2$/boots: 3/' survey.yaml >more.yaml
  campaign ./more.yaml
  equal "$(counts cold)" '342 342 3,4 4 3,0 0 3'
  equal "$(of amd-survey '.trials | map(select(.outcome != "infra")) | length')" 18
}

@test "versions: kernels in a row, one row each; one without its source is left out" {
  cat >rows.yaml <<END
name: rows
title: the order of 6.1, and that of 3.6 on the same code
base: linux-6.1
oracle: amd-window
targets: [vm-amd]
boot: {cmdline: amd_iommu_dump=1}
versions:
  - {name: v6.1, base: linux-6.1, series: amd-6.1, fixtures: [markers]}
  - {name: gone, base: ./gone.yaml}
  - {name: as-3.6, base: linux-6.1, series: amd-6.1, fixtures: [markers, block-early], cmdline: kexsect_test=1}
survey: {boots: 2, modes: [cold]}
END
  cat >gone.yaml <<END
name: gone
source: {tarball: "file://$PWD/gone.tar.xz", sha256: $(printf '%064d' 0)}
toolchain: gcc-native
END
  run kexsect run --plain ./rows.yaml
  equal "$status" 1
  [[ $output == *'version gone: '*'--skip-missing runs the others'* ]]
  kexsect run --plain --skip-missing ./rows.yaml >run.log 2>&1 || { tail -n 40 run.log >&2; false; }
  report_is_sound rows
  equal "$(of rows '[.verdict.kind, .campaign.space] | join(" ")')" 'table versions'
  equal "$(of rows '.survey.rows | map(.members[0] + " " + .status) | join(", ")')" \
    'v6.1 booted, gone left_out, as-3.6 booted'
  equal "$(of rows '.survey.rows | map(.cells[0].measures.accesses.min // 0 | . > 300) | map(tostring) | join(" ")')" 'false false true'
  grep -q 'kexsect_test=1' "$KEXSECT_RESULTS"/campaigns/rows-1/trials/000002/cmdline
}
