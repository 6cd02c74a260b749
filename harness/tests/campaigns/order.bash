# What campaigns about the order of initcalls have in common.

# Every trial that came up ran in exactly the order that its kernel was given: what initcall_debug printed is what was
# asked for. (What panics has no record of its messages; the target's log level leaves them out on the console.)
ran_as_asked() {
  local run=$KEXSECT_RESULTS/campaigns/$1-1 trial kernel list compared=0
  for trial in "$run"/trials/*/; do
    [ -s "$trial/kmsg.log" ] || continue
    kernel=$(jq -r .kernel "$trial/request.json")
    list=$(dirname "$kernel")/initcalls
    [ -s "$list" ] || { echo "$list is missing" >&2; return 1; }
    awk '$1 !~ /^(#|console|security|early)/ { sub(/@.*/, "", $2); print $2 }' "$list" >asked
    grep -ao 'calling  [A-Za-z0-9_]*+0x' "$trial/kmsg.log" | sed 's/calling  //; s/+0x//' | grep -Fx -f asked >ran
    cmp -s asked ran || { diff asked ran | head >&2; echo "$trial: another order" >&2; return 1; }
    compared=$((compared + 1))
  done
  [ "$compared" -ge 5 ]
}

# NAME FIRST SECOND: the pair was found, in few boots, and nothing was compiled for an order.
pair_is_found() {
  equal "$(of "$1" .verdict.kind)" cause
  equal "$(of "$1" .campaign.space)" order
  equal "$(of "$1" .verdict.order.claim)" one
  equal "$(of "$1" '.verdict.order.pairs[0] | "\(.first.function) \(.second.function)"')" "$2 $3"
  equal "$(of "$1" '.verdict.probability >= 0.99')" true
  report_is_sound "$1"
}

# NAME: when every boot shows it, a boot tells a bit.
few_boots() {
  equal "$(of "$1" '.verdict.order | .boots_to_find <= ((.differing_pairs | log2 | ceil) + 4)')" true
}
