# kexsect initcalls on kernels that gcc and ld make of nothing but an initcall table.
load common

# A vmlinux with the linker script's INIT_CALLS (include/asm-generic/vmlinux.lds.h); an object for each call, as two
# functions have one name.
vmlinux() { # FILE
  local call level fn module line n=0 section
  rm -f made-*
  for call in early:spawn_ksoftirqd:softirq:1021 0:net_ns_init:net_namespace:400 1:iommu_init:iommu:2575 \
    3:pci_arch_init:init:51 4:acpi_init:acpi:1445 4:pci_slot_init:slot:403 5:probe:alpha:1 6:probe:beta:2 \
    rootfs:pci_iommu_init:pci_dma:208 6:serial8250_init:8250:1250 7:clk_debug_init:clk:3400 con:con_init:vt:3549; do
    IFS=: read -r level fn module line <<<"$call"
    section=.initcall$level.init
    [ "$level" != con ] || section=.con_initcall.init
    printf '%s\n' ".file \"$module.c\"; .text; .type $fn, @function; $fn: ret" \
      ".section \"$section\", \"a\"; __initcall__kmod_${module}__${n}_${line}_$fn$level: .long $fn - ." |
      as -o "made-$((100 + n)).o"
    n=$((n + 1))
  done
  {
    echo '.data; .globl initcall_levels; initcall_levels:'
    for n in 0 1 2 3 4 5 6 7; do echo ".quad __initcall${n}_start"; done
    echo '.quad __initcall_end'
  } | as -o made-levels.o
  {
    echo 'SECTIONS { . = 0xffffffff81000000; .text : { *(.text) } .init.data : {'
    echo '__con_initcall_start = .; KEEP(*(.con_initcall.init)) __con_initcall_end = .;'
    echo '__initcall_start = .; KEEP(*(.initcallearly.init))'
    for n in 0 1 2 3 4 5 rootfs 6 7; do
      echo "__initcall${n}_start = .; KEEP(*(.initcall$n.init)) KEEP(*(.initcall${n}s.init))"
    done
    echo '__initcall_end = .; } .data : { *(.data) } }'
  } >made.lds
  ld -n -T made.lds made-*.o -o "$1"
}

@test "shows level, function, module, line" {
  vmlinux v
  run kexsect initcalls v
  status_is 0
  [[ ${lines[0]} =~ ^console\ +con_init@vt\ +0xffffffff8100000b ]]
  [[ ${lines[3]} =~ ^core\ +iommu_init@iommu ]]
  [[ ${lines[8]} =~ ^rootfs\ +pci_iommu_init@pci_dma ]]
  [ ${#lines[@]} -eq 12 ]
  run kexsect initcalls --json v
  status_is 0
  [ "$(jq -r '.initcalls[3] | "\(.level) \(.function) \(.module) \(.line)"' <<<"$output")" = "core iommu_init iommu 2575" ]
}

@test "moves there and back, bit for bit; --diff says what moved" {
  vmlinux v
  run kexsect initcalls --move iommu_init=arch --move 'serial8250_init=arch:before pci_arch_init' -o w v
  status_is 0
  said "core → arch, after pci_arch_init"
  run kexsect initcalls --diff v w
  status_is 1
  [ ${#lines[@]} -eq 2 ]
  said "device → arch, before pci_arch_init"
  run kexsect initcalls --diff --json w v
  [ "$(jq -c '[.changes[] | [.function, .from, .to]]' <<<"$output")" = \
    '[["iommu_init","arch","core"],["serial8250_init","arch","device"]]' ]
  kexsect initcalls --move iommu_init=core --move serial8250_init=device -o x w
  cmp v x
  run kexsect initcalls --diff v x
  status_is 0
  [ "$output" = "" ]
}

@test "a whole order from a file" {
  vmlinux v
  kexsect initcalls v | sed '/iommu_init@iommu/d; s/^late  /device/' >order
  run kexsect initcalls --order order -o w v
  status_is 1
  said "iommu_init (core) is missing"
  kexsect initcalls v | sed 's/^late  /device/' >order
  run kexsect initcalls --order order -o w v
  status_is 0
  said "late → device, after serial8250_init"
}

@test "stripped: by the System.map" {
  vmlinux v
  nm v | sort >System.map
  strip -o s v
  run kexsect initcalls s
  status_is 1
  said "--map"
  kexsect initcalls --map System.map s >one
  kexsect initcalls v >two
  diff <(awk '{print $1, $2, $3}' one) <(awk '{print $1, $2, $3}' two)
  run kexsect initcalls --map System.map --move iommu_init=late -o t s
  status_is 0
}

@test "refused, and no file is left" {
  vmlinux v
  local move
  for move in nobody=arch probe=arch iommu_init=early spawn_ksoftirqd=early:first con_init=console:first iommu_init=arch:before\ acpi_init; do
    run kexsect initcalls --move "$move" -o w v
    status_is 1
    [ ! -e w ]
  done
  run kexsect initcalls --move probe@beta=arch -o w v
  status_is 0
  head -c 500 v >short
  run kexsect initcalls short
  status_is 1
  run kexsect initcalls made-100.o
  status_is 1
  said "not linked"
}

@test "wrong usage" {
  run kexsect initcalls
  status_is 2
  run kexsect initcalls --move iommu_init=arch v
  status_is 2
  run kexsect initcalls --diff v
  status_is 2
  run kexsect initcalls -o w v
  status_is 2
}
