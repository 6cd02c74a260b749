# The question itself, on old kernels: runs where $KEXSECT_SOURCES says where they are (linux-3.6=PATH,…).
load common

# needs RECIPE: skipped without a source for it
needs() {
  case ",${KEXSECT_SOURCES:-}" in
    *",$1="*) ;;
    *) skip "no source of $1: KEXSECT_SOURCES=$1=PATH" ;;
  esac
}

# C alone is the answer, and the kernel without it faults.
c_cures() {
  campaign "$1"
  equal "$(of "$1" .verdict.kind)" cause
  equal "$(of "$1" '.verdict.members | join(" ")')" device-table-after-dma-ops
  equal "$(of "$1" .verdict.effect)" cures
  equal "$(of "$1" '.verdict.probability >= 0.99')" true
  report_is_sound "$1"
}

# counts NAME MODE "SET": least and most refused accesses of that set's boots
counts() {
  of "$1" "[.survey.rows[] | select((.members | sort | join(\" \")) == \"$3\") | .cells[] | select(.mode == \"$2\")][0]
    | .measures.faults | \"\(.min) \(.max)\""
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
  c_cures amd-3.6
  equal "$(of amd-3.6 .survey.complete)" true
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
  c_cures amd-3.4
}

@test "amd-3.7: 3.7.2 still refuses DMA, until the order of 3.8.13" {
  needs linux-3.7.2
  c_cures amd-3.7
}
