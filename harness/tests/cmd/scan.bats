# kexsect scan on logs of every kind, from files and pipes, plain and packed.
load common

stamp() { printf '[%5d.%06d] %s\n' "$1" "$2" "$3"; }
fault() { # SECONDS MICROSECONDS ADDRESS
  stamp "$1" "$2" "DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr $3 [fault reason 0x06] PTE Read access is not set"
}
boot() {
  stamp 0 0 "Linux version 6.1.0 (a@b) #1 SMP"
  stamp 0 100 "DMAR: Host address width 39"
  fault 0 200 0x1ffde000
  stamp 0 300 "DMAR: dmar0: enabling translation"
  stamp 0 310 "calling  pci_iommu_init+0x0/0x3e @ 1"
  fault 0 400 0x1ffde000
  stamp 0 410 "initcall pci_iommu_init+0x0/0x3e returned 0 after 9 usecs"
  stamp 0 500 "pci 0000:00:02.0: Adding to iommu group 1"
  fault 0 600 0xe8000
}

@test "a log without faults: status 0" {
  stamp 0 0 "Linux version 6.1.0" >log
  run kexsect scan log
  status_is 0
  said "no faults"
  run kexsect scan --json log
  status_is 0
  [ "$output" = "" ]
}

@test "faults: status 1, lines, windows, a summary" {
  boot >log
  run kexsect scan log
  status_is 1
  said "3: [    0.000200] intel DMA 0000:00:02.0 read 0x1ffde000: PTE Read access is not set [VT-d, appendix A] (detected)"
  said "(enabled, in pci_iommu_init)"
  said "(attached)"
  said "3 faults, 0 errors"
  run kexsect scan --summary log
  status_is 1
  [ "$(grep -c 0000:00:02.0 <<<"$output")" = 3 ]
}

@test "--json has the stable keys, in order, and nothing else" {
  boot | sed 's/$/\r/' >log
  run kexsect scan --json log
  status_is 1
  [ "$(jq -r 'keys_unsorted | join(" ")' <<<"$output" | sort -u)" = \
    "driver event device access address domain pasid flags reason time line window region raw suppressed" ]
  [ "$(jq -r .window <<<"$output" | tr '\n' ' ')" = "detected enabled/pci_iommu_init attached " ]
  [ "$(jq -r .time <<<"$output" | tr '\n' ' ')" = "200 400 600 " ]
}

@test "standard input, several files, packed files" {
  boot >log
  run kexsect scan <log
  status_is 1
  said "3 faults"
  gzip -k log
  xz -k log
  run kexsect scan log.gz log.xz
  status_is 1
  said "log.xz:9: "
  said "6 faults"
  run bash -c "gzip -c log | '$KEXSECT' scan --summary -"
  status_is 1
  said "3 faults"
}

@test "zstd" {
  command -v zstd >/dev/null || skip "no zstd"
  boot >log
  zstd -q log
  run kexsect scan log.zst
  status_is 1
  said "3 faults"
}

@test "what cannot be read is an error, and not 'no faults'" {
  run kexsect scan nothing
  status_is 1
  said "nothing: No such file"
  for _ in $(seq 2000); do boot; done | gzip | head -c 3000 >cut.gz
  run kexsect scan --summary cut.gz
  status_is 1
  said "cut.gz: cannot unpack"
  run kexsect scan .
  status_is 1
  said "cannot read"
}

@test "--window: names, patterns, open ends, each boot anew" {
  boot >log
  run kexsect scan --json --window enabled..attached log
  [ "$(jq -r .line <<<"$output")" = 6 ]
  run kexsect scan --json --window ..enabled log
  [ "$(jq -r .line <<<"$output")" = 3 ]
  run kexsect scan --json --window attached.. log
  [ "$(jq -r .line <<<"$output")" = 9 ]
  run kexsect scan --json --window '^DMAR: dmar[0-9]+: enabling..Adding to iommu' log
  [ "$(jq -r .line <<<"$output")" = 6 ]
  boot >>log
  run kexsect scan --json --window enabled..attached log
  [ "$(jq -r .line <<<"$output" | tr '\n' ' ')" = "6 15 " ]
  run kexsect scan --window userspace.. log
  status_is 0
}

@test "wrong usage" {
  run kexsect scan --window enabled log
  status_is 2
  said "A..B"
  run kexsect scan --window '(..x' log
  status_is 2
  said "missing closing parenthesis"
  run kexsect scan --follow
  status_is 2
  run kexsect scan --follow a b
  status_is 2
}

@test "--follow sees what is added, and a new file under the name" {
  stamp 0 0 "Linux version 6.1.0" >log
  "$KEXSECT" scan --json --follow log >found &
  pid=$!
  fault 1 0 0x1000 >>log
  for _ in $(seq 50); do [ "$(wc -l <found)" -ge 1 ] && break; sleep 0.1; done
  [ "$(jq -r .line found)" = 2 ]
  fault 2 0 0x2000 >new
  mv new log
  for _ in $(seq 50); do [ "$(wc -l <found)" -ge 2 ] && break; sleep 0.1; done
  [ "$(jq -r .address found | tail -n 1)" = 0x2000 ]
  kill -INT $pid
  status=0
  wait $pid || status=$?
  status_is 1
}

@test "reserved regions: beside the log, or by --tables; a damaged table is an error" {
  mkdir -p trial/acpi
  boot >trial/console.log
  # RMRR 0x1ffde000-0x1fffffff of 00:02.0, as iasl writes it
  printf 'DMAR\x50\0\0\0\x01\0KEXSCTRMRRTEST\0\0\0\0TEST\0\0\0\0\x26\0\0\0\0\0\0\0\0\0\0\0' >table
  printf '\x01\0\x20\0\0\0\0\0\0\xe0\xfd\x1f\0\0\0\0\xff\xff\xff\x1f\0\0\0\0\x01\x08\0\0\0\0\x02\0' >>table
  sum=$(od -An -v -tu1 table | tr -s ' ' '\n' | awk '{s += $1} END {print (256 - s % 256) % 256}')
  printf "$(printf '\\x%02x' "$sum")" | dd of=table bs=1 seek=9 conv=notrunc status=none
  [ "$(wc -c <table)" = 80 ]
  cp table trial/acpi/DMAR.aml
  run kexsect scan --json trial/console.log
  status_is 1
  [ "$(jq -r '.region // "-"' <<<"$output" | head -n 1)" = "RMRR 0x1ffde000-0x1fffffff of 0000:00:02.0" ]
  [ "$(jq -r '.region // "-"' <<<"$output" | tail -n 1)" = "-" ]
  cp trial/console.log log
  run kexsect scan --tables trial/acpi log
  said "RMRR 0x1ffde000-0x1fffffff of 0000:00:02.0"
  head -c 60 table >trial/acpi/DMAR.aml
  run kexsect scan --tables trial/acpi/DMAR.aml log
  status_is 1
  said "truncated"
  run kexsect scan trial/console.log
  said "reserved regions are not known"
  said "3 faults"
}

@test "hostile input: NULs, escapes and long lines are neither printed nor fatal" {
  { printf '\0\0\x1b[31m\xff\n'; head -c 3000000 /dev/zero | tr '\0' x; echo; fault 1 0 0x1000; } >log
  run kexsect scan log
  status_is 1
  said "3: [    1.000000] intel DMA"
  [[ $output != *$'\x1b'* ]]
}
