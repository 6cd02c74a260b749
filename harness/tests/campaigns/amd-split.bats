load common

# What the oracle stored and what is read again from the evidence: driver, event, device, access, address, more.
KEYS='[.driver, .event, .device, .access, .address, .suppressed]'

@test "amd-split: the split alone cures, by the emulator's record of refused DMA" {
  campaign amd-split
  equal "$(of amd-split .verdict.kind)" cause
  equal "$(of amd-split '.verdict.members | join(" ")')" split-device-table
  equal "$(of amd-split .verdict.effect)" cures
  equal "$(of amd-split '.verdict.probability >= 0.99')" true
  report_is_sound amd-split

  local trials=$KEXSECT_RESULTS/campaigns/amd-split-1/trials faulty
  # each fault is marked as the emulator's, and only those in the unity-mapped regions count
  faulty=$(jq -r 'select(.outcome == "fault") | .trial' "$trials"/0*/outcome.json | head -n 1)
  faulty=$(printf '%s/%06d' "$trials" "$faulty")
  jq -se 'length > 0 and all(.driver == "amd-vi-emulator" and .source == "emulator")
    and all(.counts == (.region != null)) and any(.counts) and any(.counts | not)' "$faulty/faults.jsonl"
  # they stand between the lines of the console, and are read again as they were stored
  grep -q 'QEMU amd-iommu: control 0x[0-9a-f]*, enabled' "$faulty/console.log"
  run kexsect scan --json "$faulty/console.log"
  equal "$status" 1
  equal "$(jq -c "$KEYS" <<<"$output")" "$(jq -c "$KEYS" "$faulty/faults.jsonl")"
  # a machine that counts instructions: boots of one kernel, in one mode, at one phase have as many refused accesses
  local same seen dir
  for dir in "$trials"/0*; do
    jq -c --slurpfile r "$dir/request.json" 'select(.outcome != "infra") | [.identity, $r[0].mode, .measures.phase_step, .measures.faults + .measures.suppressed]' "$dir/outcome.json"
  done | sort -u >seen.jsonl
  seen=$(wc -l <seen.jsonl)
  same=$(jq -c '.[:3]' seen.jsonl | sort -u | wc -l)
  equal "$seen" "$same"
  # how much of the window each candidate takes away, from exact pairs
  equal "$(of amd-split .effects.exact)" true
  equal "$(of amd-split '.effects.candidates[] | select(.name == "split-device-table") | .faults | [.exact, .percent] | map(tostring) | join(" ")')" \
    'true -100'
}
