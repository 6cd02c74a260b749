# Whole campaigns. They use the ordinary cache folder, so that kernels are compiled once, and a results folder
# of their own.
setup() {
  export KEXSECT_DATA=$SOURCE_ROOT
  export KEXSECT_RESULTS=$BATS_TEST_TMPDIR/results
  cd "$BATS_TEST_TMPDIR" || return 1
}

# Nothing that a campaign started may outlive it.
teardown() {
  if pgrep -af "qemu-system.*kexsect" >&2; then
    echo 'a QEMU is still running' >&2
    return 1
  fi
}

kexsect() { "$KEXSECT" "$@"; }

# Runs a campaign to its end; on failure shows what it said.
campaign() {
  kexsect run --plain "$1" >run.log 2>&1 && return
  tail -n 60 run.log >&2
  return 1
}

# verdict NAME FILTER: the report's value of a jq filter
of() { jq -r "$2" "$KEXSECT_RESULTS/campaigns/$1-1/report.json"; }

# equal GOT WANTED
equal() {
  [ "$1" = "$2" ] && return
  printf 'got: %s\nwanted: %s\n' "$1" "$2" >&2
  return 1
}

# What every good report of a finished campaign holds.
report_is_sound() {
  local dir=$KEXSECT_RESULTS/campaigns/$1-1
  /usr/bin/python3 -W ignore -m jsonschema -i "$dir/report.json" "$SOURCE_ROOT/docs/report.schema.json"
  [ -s "$dir/report.html" ] && [ -s "$dir/report.md" ]
  # every trial has its evidence on disk
  jq -r '.trials[].evidence' "$dir/report.json" | while read -r evidence; do
    for f in console.log console.raw cmdline outcome.json request.json repeat; do
      [ -e "$dir/$evidence/$f" ] || [ -e "$evidence/$f" ] || { echo "$evidence/$f is missing" >&2; return 1; }
    done
  done
  # trials are numbered without gaps or repeats
  equal "$(jq -c '[.trials[].number] == [range(1; (.trials | length) + 1)]' "$dir/report.json")" true
}
