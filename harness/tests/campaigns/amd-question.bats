# The question itself, on old kernels: runs where $KEXSECT_SOURCES says where they are (linux-3.6=PATH,…).
load common

# needs RECIPE: skipped without a source for it
needs() {
  case ",${KEXSECT_SOURCES:-}" in
    *",$1="*) ;;
    *) skip "no source of $1: KEXSECT_SOURCES=$1=PATH" ;;
  esac
}

# cured_by NAME MEMBERS: the kernel without candidates faults, and each of the members alone ends it.
cured_by() {
  campaign "$1"
  equal "$(of "$1" .verdict.kind)" cause
  equal "$(of "$1" '.verdict.members | sort | join(" ")')" "$2"
  equal "$(of "$1" .verdict.effect)" cures
  equal "$(of "$1" '.verdict.probability >= 0.99')" true
  equal "$(of "$1" .survey.complete)" true
  report_is_sound "$1"
}

# counts NAME MODE "SET": least and most refused accesses of that set's boots
counts() {
  of "$1" "[.trials[] | select(.outcome != \"infra\" and .mode == \"$2\" and (.members | sort | join(\" \")) == \"$3\")
    | .measures | .faults + .suppressed] | \"\(min) \(max)\""
}

# between NAME MODE SET LEAST MOST
between() {
  local least most
  read -r least most <<<"$(counts "$1" "$2" "$3")"
  [ "$least" -ge "$4" ] && [ "$most" -le "$5" ] && return
  echo "$3 ($2): $least to $most, not $4 to $5" >&2
  return 1
}

@test "amd-3.6: neither of the two patches ends the refused DMA, nor do both; the order of 3.9 does" {
  needs linux-3.6
  # C is two patches: for kernels without A and with it
  cured_by amd-3.6 "device-table-after-dma-ops device-table-after-dma-ops-split"
  equal "$(of amd-3.6 .verdict.either)" true
  equal "$(of amd-3.6 '.survey.rows | length')" 8
  local a=split-device-table b=arch-initcall-move c=device-table-after-dma-ops mode
  for mode in kexec cold; do
    # zero is exact; the others vary by one with the phase of the controller's frames
    between amd-3.6 $mode '' 160 163
    between amd-3.6 $mode "$b" 160 163
    between amd-3.6 $mode "$a" 71 73
    between amd-3.6 $mode "$b $a" 71 73
    between amd-3.6 $mode "$c" 0 0
    between amd-3.6 $mode "$b $c" 0 0
    between amd-3.6 $mode "$c-split $a" 0 0
    between amd-3.6 $mode "$b $c-split $a" 0 0
  done
}

@test "amd-3.4: the order of 3.4.113 ends it on 3.4.4" {
  needs linux-3.4.4
  cured_by amd-3.4 "device-table-after-dma-ops device-table-after-dma-ops-split"
  equal "$(of amd-3.4 .verdict.either)" true
  between amd-3.4 cold '' 71 73
  between amd-3.4 cold split-device-table 70 73
}

@test "amd-3.7: 3.7.2 still refuses DMA, until the order of 3.8.13" {
  needs linux-3.7.2
  cured_by amd-3.7 device-table-after-dma-ops
  between amd-3.7 cold '' 53 55
  between amd-3.7 cold device-table-after-dma-ops 0 0
  between amd-3.7 cold unsplit-device-table 700 730
}
