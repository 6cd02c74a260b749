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
  # a machine that counts instructions: cold boots of one kernel measure the same
  equal "$(jq -c 'select(.wait_us == 0 and .outcome == "clean") | .measures' "$trials"/0*/outcome.json | sort -u | wc -l)" 1
}
