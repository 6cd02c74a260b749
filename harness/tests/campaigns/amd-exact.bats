# A machine that counts instructions: each boot of a kernel is the same, whoever gives it its tables and however it is started.
load common

# build NAME FIXTURE… -- CANDIDATE…: makes $NAME.json
build() {
  local out=$BATS_FILE_TMPDIR/$1.json fixtures=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do fixtures+=("$1"); shift; done
  shift
  jq -n --arg root "$SOURCE_ROOT" --arg fixtures "${fixtures[*]}" '{format: 1, recipe: ($root + "/kernels/linux-6.1.yaml"),
    series: ($root + "/patches/amd-6.1/series.yaml"), fixtures: ($fixtures | split(" ")), candidates: $ARGS.positional}' \
    --args "$@" >"$out.request"
  "$KEXSECT" job build "$out.request" | tail -n 1 >"$out"
}

# boot KERNEL JQ-FILTER: the trial lines are in trials.json
boot() {
  jq -n --arg root "$SOURCE_ROOT" --arg here "$BATS_TEST_TMPDIR" --slurpfile k "$BATS_FILE_TMPDIR/$1.json" \
    --slurpfile l "$BATS_FILE_TMPDIR/launcher.json" --arg cache "${KEXSECT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kexsect}" \
    '{format: 1, target: ($root + "/configs/targets/vm-amd.yaml"), oracle: ($root + "/configs/oracles/amd-window.yaml"),
      kernel: $k[0].kernel, identity: $k[0].identity, launcher_kernel: $l[0].kernel, cmdline: "amd_iommu=on",
      cache: $cache, evidence: ($here + "/trials")} | '"$2" >r.json
  "$KEXSECT" job boot r.json | jq -c 'select(.event == "trial")' >trials.json
}

# What is exact. An access that comes while the console prints can be noted before or behind a line, so how many share a record is not.
EXACT='.measures | [.faults + .suppressed, .window_us, .blocked_us, .phase_step, (.parts | map(.name))]'

# all_same N: there are N trials, all faulting, and all measure the same
all_same() {
  equal "$(wc -l <trials.json)" "$1"
  equal "$(jq -r .outcome trials.json | sort -u)" fault
  echo "# $(jq -r '"\(.measures.faults) + \(.measures.suppressed) accesses, \(.measures.window_us) µs"' trials.json | sort | uniq -c)" >&3
  equal "$(jq -c "$EXACT" trials.json | sort -u | wc -l)" 1
}

setup_file() {
  export KEXSECT_DATA=$SOURCE_ROOT
  build launcher --
  build early markers block-early --
  build before-attach markers block-early -- split-before-attach
}

@test "three boots from the launcher are the same, to the access and the microsecond" {
  boot before-attach '.boots = 3 | .phase_step = 5'
  all_same 3
  # in parts, in the order of this kernel; DMA is refused from the second to the last
  equal "$(jq -rs '.[0].measures.parts | map(.name) | join(", ")' trials.json)" 'IOMMU on, entries block, regions mapped, attached'
  jq -se '.[0].measures | (.parts | map(.faults + .suppressed) | add) == .faults + .suppressed
    and .blocked_us == (.parts[1].length_us + .parts[2].length_us)' trials.json
  # and so is one that is made again by hand
  jq -c "$EXACT" trials.json | sort -u >first
  bash "$(jq -rs '.[2].evidence' trials.json)/repeat" | jq -c "select(.event == \"trial\") | $EXACT" >again
  equal "$(cat again)" "$(cat first)"
}

@test "three cold boots are the same" {
  boot early '.boots = 3 | .phase_step = 0 | .mode = "cold"'
  all_same 3
  jq -se '.[0].measures.parts[0] | .name == "entries block" and .faults == 0' trials.json
}

@test "a window of four frames has its accesses at each phase, and the phase moves them" {
  kexsect phase amd-survey --variant split-before-attach --steps 4 --mode cold --json >phase.json
  jq -e '.probability == 1 and .exactness == 0.25 and (.boots | map(.phase_us)) == [0, 250, 500, 750]
    and all(.boots[]; .accesses >= 4 and .accesses <= 5)' phase.json
}

@test "the machine's own IVRS with regions added, by override and by the firmware" {
  sed -e '/^acpi_tables:/,/^$/d' "$SOURCE_ROOT/configs/targets/vm-amd.yaml" >own.yaml
  cat >>own.yaml <<'END'

reserved:
  - {device: '00:02.0', start: 0x1ffde000, length: 0x22000}
  - {device: '00:02.0', start: 0xe0000, length: 0x10000}
END
  (cat own.yaml; echo 'acpi_tables_by: firmware') >firmware.yaml
  for by in own firmware; do
    boot before-attach ".mode = \"cold\" | .phase_step = 0 | .target = \"$PWD/$by.yaml\""
    all_same 1
    # a unity map for the device, in the table that the kernel saw and in the log of its accesses
    jq -se '.[0].faults | map(select(.counts))[0].region | startswith("unity map 0x1ffde000")' trials.json ||
      { jq -s '.[0].faults[0]' trials.json >&2; return 1; }
    grep -aq '00:02.0.*reserved region 0x1ffde000-0x1fffffff mapped' "$(jq -rs '.[0].evidence' trials.json)/console.log"
  done
}

@test "a launcher with orders that cannot be obeyed says so" {
  head -c 100000 /dev/urandom >garbage
  boot early ".kernel = \"$PWD/garbage\""
  equal "$(jq -r .outcome trials.json)" infra
  jq -e '.reason | contains("kexec_file_load")' trials.json || { cat trials.json >&2; return 1; }
}
