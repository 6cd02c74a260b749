load common

@test "an empty cache lists as empty; prune and remove know their words" {
  run kexsect cache
  status_is 0
  run kexsect cache --json
  status_is 0
  [ "$(jq '.entries | length' <<<"$output")" = 0 ]
  run kexsect cache prune --limit 10X
  status_is 2
  run kexsect cache remove
  status_is 2
  run kexsect cache remove ../../etc
  status_is 1
  [ -d /etc ]
}

@test "report without a store, and an unknown format" {
  run kexsect report
  status_is 1
  run kexsect report --format pdf x
  status_is 2
  said "no format 'pdf'"
}
