load common

@test "install puts things where Debian expects them, and the installed program finds them" {
  DESTDIR=$PWD/root cmake --install "$BUILD_ROOT" --prefix /usr >install.log
  for f in bin/kexsect lib/kexsect/agent share/man/man1/kexsect.1 lib/systemd/system/kexsect@.service \
    bin/kexsectd share/man/man8/kexsectd.8 lib/systemd/system/kexsectd.service share/doc/kexsect/daemon.md \
    share/bash-completion/completions/kexsect share/kexsect/configs/campaigns/vtd-window.yaml \
    share/kexsect/patches/vtd-6.1/series.yaml share/kexsect/kernels/linux-6.1.yaml share/doc/kexsect/README.md; do
    [ -e "root/usr/$f" ] || { echo "$f is missing" >&2; return 1; }
  done
  man --warnings -l root/usr/share/man/man1/kexsect.1 root/usr/share/man/man8/kexsectd.8 >/dev/null 2>man.log
  [ ! -s man.log ]
  unset KEXSECT_DATA # found beside the program
  run root/usr/bin/kexsect check --files vtd-window
  status_is 0
}

@test "completion knows the commands and the campaigns" {
  # shellcheck disable=SC1091
  source /usr/share/bash-completion/bash_completion
  source "$SOURCE_ROOT/scripts/install/kexsect.bash-completion"
  set +e # completion code ends with whatever status
  COMP_WORDS=(kexsect r) COMP_CWORD=1 COMP_LINE='kexsect r' COMP_POINT=9
  _kexsect
  [[ " ${COMPREPLY[*]} " == *" run "* && " ${COMPREPLY[*]} " == *" report "* ]] || return 1
  COMP_WORDS=(kexsect run vtd-f) COMP_CWORD=2 COMP_LINE='kexsect run vtd-f' COMP_POINT=17
  _kexsect
  [[ " ${COMPREPLY[*]} " == *" vtd-flaky "* ]]
}
