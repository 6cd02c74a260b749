# kexsect timeline: one log, two logs, as columns, JSON and a picture.
load common

bad() {
  cat <<'LOG'
[    0.000000] Linux version 6.1.0 (a@b) #kx0123456789ab SMP
[    0.115539] DMAR: Host address width 39
[    0.688646] calling  pci_iommu_init+0x0/0x3e @ 1
[    0.765267] DMAR: dmar0: Using Queued invalidation
[    0.771303] DMAR: dmar0: enabling translation
[    0.778684] DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1ffde000 [fault reason 0x01] Present bit in root entry is clear
[    0.781519] pci 0000:00:02.0: Adding to iommu group 1
[    0.787252] pci 0000:00:02.0: reserved region 0x1ffde000-0x1fffffff mapped
[    0.801654] DMAR: Intel(R) Virtualization Technology for Directed I/O
[    0.802000] initcall pci_iommu_init+0x0/0x3e returned 0 after 113000 usecs
[    1.079134] Run /init as init process
LOG
}
good() {
  bad | sed -e '/enabling translation/d; /fault addr/d' \
    -e '/Directed/i [    0.790000] DMAR: dmar0: enabling translation' -e 's/kx0123456789ab/kxba9876543210/'
}

@test "one log in columns" {
  bad >log
  run kexsect timeline log
  status_is 0
  said "log, Linux 6.1.0 kx0123456789ab, 1 fault, window (|) of 30 ms"
  said "113 ms   pci_iommu_init"
  bad | grep -v initcall_init >plain
  grep -v 'calling\|initcall' plain >silent
  run kexsect timeline silent
  said "initcall_debug on the kernel's command line"
}

@test "standard input, packed logs" {
  bad >log
  kexsect timeline log | tail -n +2 >want
  bad | kexsect timeline - | tail -n +2 | diff want -
  xz -k log
  kexsect timeline log.xz | tail -n +2 | diff want -
}

@test "two logs: what moved" {
  bad >bad
  good >good
  run kexsect timeline bad good
  status_is 0
  said "In the second boot, translation was enabled 2.7 ms after, not 16 ms before, the reserved regions of device 00:02.0 were mapped; one fault fell in between."
  said "moved * (1): DMAR: dmar0: enabling translation"
  kexsect timeline --json --oracle vtd-window bad good >doc
  jq -e '.changes.moved[0].name == "DMAR: dmar0: enabling translation" and (.boots | length) == 2' doc
  jq -e '.boots[0].events[.boots[0].window.from].part == "unit found"' doc
  jq -e '.boots[1].events[.changes.moved[0].second].begin == 790000' doc
}

@test "a picture is XML without script" {
  bad >bad
  good | sed 's/Host address width 39/& <script>alert(1)<\/script> \& "x"/' >good
  kexsect timeline --svg --all bad good >picture.svg
  xmllint --noout picture.svg
  run grep -c '<script' picture.svg
  [ "$output" = 0 ]
  grep -q 'prefers-color-scheme:dark' picture.svg
}

@test "window, alignment, boots" {
  { bad; good; } >both
  [ "$(kexsect timeline --json both | jq -r '.boots[0].identity')" = kxba9876543210 ]
  [ "$(kexsect timeline --json --boot 1 both | jq -r '.boots[0].identity')" = kx0123456789ab ]
  kexsect timeline --json --window 'detected..^Run' both | jq -e '.boots[0] | .events[.window.to].begin == 1079134'
  bad >bad
  kexsect timeline --json --align pci_iommu_init bad | jq -e '.boots[0] | .events[.align].name == "pci_iommu_init"'
  run kexsect timeline --align nowhere bad
  status_is 1
  said "nowhere"
}

@test "wrong usage, missing files" {
  run kexsect timeline
  status_is 2
  run kexsect timeline a b c
  status_is 2
  bad >bad
  run kexsect timeline --svg --json bad
  status_is 2
  run kexsect timeline --window x bad
  status_is 2
  run kexsect timeline --window '(..x' bad
  status_is 1
  run kexsect timeline --boot 0 bad
  status_is 2
  run kexsect timeline missing
  status_is 1
  said "missing: No such file"
  run kexsect timeline --oracle none bad
  status_is 1
}
