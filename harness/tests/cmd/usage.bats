load common

@test "without a command: the list of commands, status 2" {
  run kexsect
  status_is 2
  said "kexsect COMMAND"
}

@test "--help and --version" {
  run kexsect --help
  status_is 0
  for command in init check plan run report simulate job cache; do
    said "  $command "
    run kexsect "$command" --help
    status_is 0
    said "usage: kexsect $command"
    run kexsect --help
  done
  run kexsect --version
  status_is 0
  [[ $output =~ ^kexsect\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "an unknown command and unknown options are wrong usage" {
  run kexsect frobnicate
  status_is 2
  said "no command 'frobnicate'"
  for command in init check plan run report simulate job cache; do
    run kexsect "$command" --frobnicate
    status_is 2
    said "kexsect $command --help"
  done
}

@test "missing and superfluous arguments are wrong usage" {
  run kexsect run
  status_is 2
  run kexsect run a b
  status_is 2
  said "'b' is too much"
  run kexsect job build
  status_is 2
  run kexsect job frobnicate x.json
  status_is 2
}
