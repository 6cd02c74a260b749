load common

@test "vtd-window: one patch cures, through an interrupted run" {
  # killed in the middle, at a moment of no special kind, and started again
  "$KEXSECT" run --plain vtd-window >first.log 2>&1 &
  pid=$!
  for _ in $(seq 1800); do
    grep -qE 'trial +4' first.log && break
    kill -0 $pid 2>/dev/null || { cat first.log >&2; return 1; }
    sleep 1
  done
  kill -9 $pid
  wait $pid || true

  campaign vtd-window
  equal "$(of vtd-window .verdict.kind)" cause
  equal "$(of vtd-window '.verdict.members | join(" ")')" split-enable
  equal "$(of vtd-window .verdict.effect)" cures
  equal "$(of vtd-window '.verdict.probability >= 0.99')" true
  report_is_sound vtd-window
}
