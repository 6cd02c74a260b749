# One interface target with the compiler settings of every harness target.
add_library(kexsect_settings INTERFACE)
target_compile_definitions(kexsect_settings INTERFACE _GNU_SOURCE
  G_LOG_DOMAIN="kexsect" KEXSECT_VERSION="${PROJECT_VERSION}")
target_compile_options(kexsect_settings INTERFACE
  -Wall -Wextra -Wformat=2 -Wshadow -Wpointer-arith -Wwrite-strings -Wstrict-prototypes
  -Wmissing-prototypes -Wmissing-declarations -Wold-style-definition -Wundef
  -Wnested-externs -Wredundant-decls -Wvla -Wdate-time -Wlogical-op -Wduplicated-cond
  -Wimplicit-fallthrough -Wno-unused-parameter -Wno-missing-field-initializers
  -fno-common -fno-strict-aliasing)
if(KEXSECT_WERROR)
  target_compile_options(kexsect_settings INTERFACE -Werror)
endif()
if(KEXSECT_SANITIZE)
  target_compile_options(kexsect_settings INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(kexsect_settings INTERFACE -fsanitize=address,undefined)
endif()
