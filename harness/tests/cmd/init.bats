load common

@test "init writes a campaign that loads" {
  run kexsect init my-question
  status_is 0
  said "kexsect check ./my-question.yaml"
  grep -q '^name: my-question$' my-question.yaml
  # it is a whole and valid campaign: every name in it is found
  run kexsect check --files ./my-question.yaml
  status_is 0
}

@test "init never overwrites" {
  echo mine >x.yaml
  run kexsect init x
  status_is 1
  said "x.yaml is there already"
  [ "$(cat x.yaml)" = mine ]
}

@test "init refuses names that are no folder names" {
  for name in ../x a/b '' '-' 'a b' .hidden; do
    run kexsect init -- "$name"
    status_is 2
  done
  [ -z "$(ls)" ]
}
