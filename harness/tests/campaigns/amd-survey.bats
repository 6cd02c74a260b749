load common

# cell SET MODE FILTER: a figure of the table
cell() {
  of amd-survey "[.survey.rows[] | select((.members | join(\" \")) == \"$1\") | .cells[] | select(.mode == \"$2\")][0] | $3"
}

# counts MODE: what each variant measures, as "least most boots"
counts() {
  for set in '' split-before-attach split-device-table; do
    cell "$set" "$1" '.measures.faults | "\(.min) \(.max) \(.boots)"'
  done | paste -sd ,
}

@test "amd-survey: how much of the window each form of the split leaves, exactly" {
  # killed in the middle, it goes on
  timeout --signal=KILL 40 "$KEXSECT" run --plain amd-survey >killed.log 2>&1 || true
  campaign amd-survey
  equal "$(of amd-survey .verdict.kind)" table
  equal "$(of amd-survey .survey.complete)" true
  equal "$(of amd-survey '.survey.rows | map(.status) | unique | join(" ")')" booted
  report_is_sound amd-survey

  # cold boots of a machine that counts instructions: docs/intel-and-amd.md
  equal "$(counts cold)" '342 342 2,4 4 2,0 0 2'
  # after kexec, the phase of the device's DMA is another in each boot, but the answer is the same
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
  sed 's/boots: 2$/boots: 3/' "$SOURCE_ROOT/configs/campaigns/amd-survey.yaml" >more.yaml
  campaign ./more.yaml
  equal "$(counts cold)" '342 342 3,4 4 3,0 0 3'
  equal "$(of amd-survey '.trials | map(select(.outcome != "infra")) | length')" 18
}
