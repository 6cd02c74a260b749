# What people get wrong, and what machines do to them: each a clear error and its status, nothing left behind.
load common

# A whole campaign of our own in ./lab, on a base of three files in a git repository.
lab() {
  mkdir -p lab/{kernels,patches/p,configs/{campaigns,targets,oracles}} repo
  git init -q repo
  printf 'one\ntwo\nthree\n' >repo/file.c
  git -C repo add file.c
  git -C repo -c user.name=t -c user.email=t@t commit -q -m base
  cp "$SOURCE_ROOT/configs/targets/vm-vtd.yaml" lab/configs/targets/
  cp "$SOURCE_ROOT/configs/oracles/vtd-window.yaml" lab/configs/oracles/
  cp -r "$SOURCE_ROOT/configs/acpi" lab/configs/
  cp -r "$SOURCE_ROOT/kernels/fragments" "$SOURCE_ROOT/kernels/toolchains" lab/kernels/
  cat >lab/kernels/base.yaml <<END
name: base
title: three lines
source: {git: "$PWD/repo", revision: HEAD}
arch: x86_64
defconfig: tinyconfig
fragments: [fragments/vm.config]
toolchain: toolchains/gcc-native.yaml
image: arch/x86/boot/bzImage
END
  cat >lab/patches/p/series.yaml <<'END'
name: p
title: two patches
base: base
patches:
  - {name: a, file: a.patch, title: changes two, kind: candidate}
  - {name: b, file: b.patch, title: changes two as well, kind: candidate}
END
  patch_of file.c two deux >lab/patches/p/a.patch
  patch_of file.c two zwei >lab/patches/p/b.patch
  cat >lab/configs/campaigns/c.yaml <<'END'
name: c
title: which of two
question: which?
base: base
series: p
targets: [vm-vtd]
oracle: vtd-window
END
}

# A diff that turns line $2 of $1 into $3.
patch_of() {
  printf -- '--- a/%s\n+++ b/%s\n@@ -1,3 +1,3 @@\n one\n-%s\n+%s\n three\n' "$1" "$1" "$2" "$3"
}

campaign=lab/configs/campaigns/c.yaml

@test "a good campaign of our own is ready, and its conflict is seen" {
  lab
  run kexsect check $campaign
  status_is 0
  said "a + b"
  said "do not apply together"
  run kexsect check --json $campaign
  status_is 0
  [ "$(jq -r '.ok' <<<"$output")" = true ]
  [ "$(jq -r '.matrix.pairs[0].result' <<<"$output")" = conflict ]
}

@test "YAML: unknown key, wrong type, missing file, with their place" {
  lab
  echo 'bogus: 3' >>$campaign
  run kexsect check $campaign
  status_is 1
  said "c.yaml:8:1: unknown key 'bogus'"
  lab_campaign=$(grep -v bogus $campaign)
  printf '%s\nbudget: {boots: many}\n' "$lab_campaign" >$campaign
  run kexsect run $campaign
  status_is 1
  said "c.yaml:8:17: boots: expected a whole number, found 'many'"
  printf '%s\n' "${lab_campaign/base: base/base: nowhere}" >$campaign
  run kexsect run $campaign
  status_is 1
  said "c.yaml:4:7:"
  said nowhere
  [ ! -e results ]
}

@test "a patch that does not apply: its file, hunk and place" {
  lab
  patch_of file.c zwei drei >lab/patches/p/b.patch
  run kexsect check $campaign
  status_is 1
  said "b.patch: hunk 1 does not apply to file.c:1"
  said "not ready"
}

@test "a patch that writes outside its tree is refused" {
  lab
  patch_of ../../outside two deux >lab/patches/p/b.patch
  run kexsect check $campaign
  status_is 1
  said b.patch
  [ ! -e outside ] && [ ! -e ../outside ]
}

@test "a source that is missing says which package has it" {
  lab
  sed -i 's/^source:.*/source: {debian: linux-source-0.1}/' lab/kernels/base.yaml
  run kexsect check $campaign
  status_is 1
  said "apt-get install linux-source-0.1"
}

@test "a tarball with another SHA-256 is refused and not kept" {
  lab
  tar cf repo.tar -C repo file.c
  wrong=$(printf '0%.0s' {1..64})
  sed -i "s|^source:.*|source: {tarball: 'file://$PWD/repo.tar', sha256: '$wrong'}|" lab/kernels/base.yaml
  run kexsect check $campaign
  status_is 1
  said "$wrong"
  said "$(sha256sum repo.tar | cut -d ' ' -f 1)"
}

@test "a source and a toolchain that are given: what they are is said, and what is wrong with them" {
  lab
  printf 'VERSION = 3\nPATCHLEVEL = 6\n' >repo/Makefile
  git -C repo add Makefile
  git -C repo -c user.name=t -c user.email=t@t commit -q -m version
  cp -r repo mine
  rm -rf mine/.git
  tree=$(git -C repo rev-parse 'HEAD^{tree}')
  run kexsect check --source base=mine $campaign
  status_is 0
  said "3.6.0, tree $tree, from $PWD/mine"
  said "gcc-native (named by base): gcc"
  export KEXSECT_SOURCES=other=/nowhere,base=$PWD/mine
  run kexsect check --toolchain gcc-on-3.x $campaign
  status_is 0
  said "$PWD/mine"
  said "gcc-on-3.x (given): gcc"
  echo more >>mine/file.c
  run kexsect check $campaign
  status_is 1
  said "kexsect cache remove sources/base.trust.json"
  unset KEXSECT_SOURCES
  run kexsect check --source base=/nowhere $campaign
  status_is 1
  said "the source given for base, /nowhere: there is no such file or folder"
  run kexsect check --source bass=mine $campaign
  status_is 2
  said "bass=$PWD/mine: c uses no recipe of that name; its base is base"
  run kexsect check --source base $campaign
  status_is 2
  said "expected NAME=PATH"
  run kexsect check --toolchain gcc-from-1991 $campaign
  status_is 1
  said "'gcc-from-1991' is not known"
}

@test "no compiler, no QEMU: found before anything starts" {
  lab
  mkdir bin
  for tool in $(compgen -c | sort -u); do
    case $tool in gcc* | cc | qemu-system-* | x86_64-linux-gnu-gcc*) continue ;; esac
    path=$(type -P "$tool") && ln -sf "$path" "bin/$tool"
  done
  PATH=$PWD/bin run kexsect run $campaign
  status_is 1
  said "compiler"
  said "QEMU"
  [ ! -e results/campaigns ]
}

@test "a cache and a results folder that cannot be used" {
  lab
  echo file >flat
  run kexsect check --cache "$PWD/flat/cache" $campaign
  status_is 1
  said flat
  run kexsect report --results "$PWD/nothing" c
  status_is 1
  said nothing
  run kexsect cache --cache "$PWD/flat"
  [ "$status" -ne 0 ] || [ "$output" != "" ]
}

@test "a disk that is full" {
  lab
  mkdir tiny
  mount -t tmpfs -o size=1m none tiny 2>/dev/null || skip "cannot mount a small file system here"
  run kexsect run --results "$PWD/tiny" --cache "$PWD/tiny/cache" $campaign
  umount tiny
  status_is 1
  said "are needed"
}

@test "jobs refuse requests that they do not understand" {
  echo '{"format": 1, "recipe": 3}' >r.json
  run kexsect job build r.json
  status_is 2
  said r.json
  echo 'no json' >r.json
  run kexsect job boot r.json
  status_is 2
  said "r.json:1:"
  run kexsect job boot nowhere.json
  status_is 1
  said "cannot read nowhere.json"
}
