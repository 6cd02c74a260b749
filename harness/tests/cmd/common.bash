# Loaded by every bats file: a folder of its own for each test, and nothing of the user's settings.
setup() {
  export HOME=$BATS_TEST_TMPDIR XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache
  unset KEXSECT_CACHE KEXSECT_RESULTS KEXSECT_SOURCES KEXSECT_TOOLCHAINS
  export KEXSECT_DATA=$SOURCE_ROOT
  cd "$BATS_TEST_TMPDIR" || return 1
}

kexsect() { "$KEXSECT" "$@"; }

# Fails with what was printed when the last `run` did not end with this status.
status_is() {
  [ "$status" -eq "$1" ] && return
  printf 'status %s, wanted %s; it printed:\n%s\n' "$status" "$1" "$output" >&2
  return 1
}

# Fails when the last `run` did not print this text.
said() {
  [[ $output == *"$1"* ]] && return
  printf 'wanted: %s\nit printed:\n%s\n' "$1" "$output" >&2
  return 1
}
