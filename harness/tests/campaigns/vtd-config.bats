load common

@test "vtd-config: USB_PCI of what two configurations differ in" {
  campaign vtd-config
  equal "$(of vtd-config .verdict.kind)" cause
  equal "$(of vtd-config '.verdict.members | join(" ")')" USB_PCI=y
  equal "$(of vtd-config '.verdict.probability >= 0.99')" true
  equal "$(of vtd-config '[.candidates[] | select(.kind == "config")] | length >= 30')" true
  equal "$(of vtd-config '[.repeat.apply[] | select(. == "scripts/config --enable USB_PCI")] | length')" 1
  report_is_sound vtd-config
  # the kernel that was booted has what its variant says
  local build
  build=$(of vtd-config '[.trials[] | select(.members | index("USB_PCI=y"))][0].build')
  grep -qx CONFIG_USB_PCI=y "${KEXSECT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kexsect}/builds/$build/config"
}
