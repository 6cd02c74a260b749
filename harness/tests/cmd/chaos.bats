load common

# What a lab of simulated machines does when it is disturbed, and that the audit would see it (docs/chaos.md).

teardown() {
  if [ -n "$kept" ]; then rm -rf "$kept"; fi
}

@test "twenty kills: nothing lost, nothing counted twice, nothing left" {
  TMPDIR=$BATS_TEST_TMPDIR run "$SOURCE_ROOT/scripts/chaos" --quick --build "$BUILD_ROOT"
  status_is 0
  said "20 kills: nothing lost, nothing counted twice, nothing left"
}

@test "the audit sees what is wrong" {
  TMPDIR=$BATS_TEST_TMPDIR run "$SOURCE_ROOT/scripts/chaos" --kills 0 --campaigns 1 --targets 1 --speed 40 --no-disk --keep \
    --build "$BUILD_ROOT"
  status_is 0
  kept=$(sed -n 's/^kept: //p' <<<"$output")
  run python3 "$SOURCE_ROOT/harness/tests/cmd/chaos_tamper.py" "$SOURCE_ROOT/scripts" "$kept/calm"
  status_is 0
}
