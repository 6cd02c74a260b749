# Campaigns with a fixed plan.
load common

versions() {
  cat >v.yaml <<END
name: v
base: linux-6.1
oracle: amd-window
targets: [vm-amd]
versions:
  - {name: now, base: ./here.yaml}
  - {name: then, base: ./gone.yaml}
survey: {boots: 2, modes: [cold, kexec]}
END
  mkdir -p src/kernel && printf 'VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\n' >src/Makefile
  tar -cJf here.tar.xz src
  local sum
  sum=$(sha256sum here.tar.xz | cut -d ' ' -f 1)
  for name in here gone; do
    cat >$name.yaml <<END
name: $name
source: {tarball: "file://$PWD/$name.tar.xz", sha256: $sum}
toolchain: gcc-native
END
    sum=$(printf '%064d' 0) # of another archive, which is nowhere
  done
}

@test "plan: a survey takes what it takes" {
  run kexsect plan --json amd-survey
  status_is 0
  jq -e '[.campaign, .variants, .boots] == ["amd-survey", 3, 12] and .seconds > 60' <<<"$output"
  run kexsect plan amd-survey
  status_is 0
  said "amd-survey: nothing is searched"
  said "3 variants × 2 modes × 2 boots = 12 boots, at most 3 builds"
}

@test "check --files: versions are loaded, and what is wrong with them has its place" {
  versions
  run kexsect check --files v.yaml
  status_is 0
  said "v: 2 candidates"
  sed -i 's/gone.yaml}/gone.yaml, fixtures: [x]}/' v.yaml
  run kexsect check --files v.yaml
  status_is 1
  said "v.yaml:7:47: these are names of patches: the key series says where they are"
}

@test "plan: a version without its source is left out, and said to be" {
  versions
  run kexsect plan v.yaml
  status_is 0
  said "version then is left out: "
  said "gone.tar.xz"
  said "1 variants × 2 modes × 2 boots = 4 boots"
  rm here.tar.xz
  rm -rf cache
  run kexsect plan v.yaml
  status_is 1
  said "there is no source of any version"
}
