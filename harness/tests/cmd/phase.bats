# kexsect phase, as far as it goes without a machine; and the regions of a device from the evidence of a boot.
load common

@test "phase: what cannot be asked is refused before anything is built" {
  run kexsect phase vtd-window
  [ "$status" -eq 1 ]
  [[ $output == *"target vm-vtd"*"determinism: icount"* ]]
  run kexsect phase amd-split --variant split-device-table+nonsense
  [ "$status" -eq 1 ]
  [[ $output == *"no candidate 'nonsense'"* ]]
  run kexsect phase amd-split --mode warm
  [ "$status" -eq 2 ]
  [[ $output == *"expected kexec or cold"* ]]
  run kexsect phase amd-split --steps 0
  [ "$status" -eq 2 ]
}

@test "reserved-regions: what a refused device read, as lines for a target" {
  mkdir trial
  printf '%s\r\n' '[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000001ffddfff] usable' \
    '[    0.000000] BIOS-e820: [mem 0x000000001ffde000-0x000000001fffffff] reserved' >trial/console.raw
  cat >trial/faults.jsonl <<'END'
{"kind": "fault", "device": "0000:00:02.0", "address": "0x1ffde450"}
{"kind": "fault", "device": "0000:00:02.0", "address": "0x0"}
{"kind": "fault", "device": "0000:00:02.0", "address": "0xe8220"}
{"kind": "fault", "device": "0000:00:02.0", "address": "0x1ffe0000"}
{"kind": "fault", "device": "0000:05:00.1", "address": "0x12345678"}
{"kind": "suppressed", "device": null, "address": null}
END
  run "$SOURCE_ROOT/scripts/reserved-regions" trial
  [ "$status" -eq 0 ]
  diff - <(echo "$output") <<'END'
reserved:
  - {device: '00:02.0', start: 0x1ffde000, length: 0x22000}
  - {device: '00:02.0', start: 0xe0000, length: 0x10000}
  - {device: '05:00.1', start: 0x12345000, length: 0x1000}
END
  run "$SOURCE_ROOT/scripts/reserved-regions" .
  [ "$status" -eq 1 ]
}
