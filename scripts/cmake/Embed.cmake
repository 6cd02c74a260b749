# kexsect_embed(COMPONENT file...)
# Files that are part of the program: FILE.inc, the bytes as a C array initialiser with a 0 at the
# end, for #include by a source of the component.
#
# As a script (-DIN=… -DOUT=… -P): writes one of them.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${IN} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  file(WRITE ${OUT} "${bytes}0\n")
  return()
endif()

set(KEXSECT_EMBED ${CMAKE_CURRENT_LIST_FILE})

function(kexsect_embed component)
  foreach(file ${ARGN})
    get_filename_component(leaf ${file} NAME)
    set(in ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${leaf}.inc)
    add_custom_command(OUTPUT ${out} COMMAND ${CMAKE_COMMAND} -DIN=${in} -DOUT=${out} -P ${KEXSECT_EMBED}
                       DEPENDS ${in} ${KEXSECT_EMBED} VERBATIM)
    target_sources(kx_${component} PRIVATE ${out})
  endforeach()
  target_include_directories(kx_${component} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
