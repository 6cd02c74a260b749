# kexsect_component(NAME SOURCES file... [USES component...] [LIBS target...])
#
# A component is one folder of harness/ and one static library. Its headers are included as
# "NAME/header.h", and only a component that lists NAME in USES can see them: each library exports
# an include folder that holds nothing but a link to its own sources.
function(kexsect_component name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBS" ${ARGN})
  set(view ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${name} SYMBOLIC)
  add_library(kx_${name} STATIC ${ARG_SOURCES})
  target_include_directories(kx_${name} PUBLIC ${view})
  list(TRANSFORM ARG_USES PREPEND kx_)
  target_link_libraries(kx_${name} PUBLIC ${ARG_USES} ${ARG_LIBS} PRIVATE kexsect_settings)
endfunction()

# kexsect_test(NAME SOURCES file... USES component... [LIBS target...] [LABELS label...])
# One cmocka program, run by CTest from the source folder of the tests.
function(kexsect_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  if(NOT CMOCKA_FOUND)
    message(FATAL_ERROR "The tests need libcmocka-dev (or configure with -DBUILD_TESTING=OFF)")
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;USES;LIBS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  list(TRANSFORM ARG_USES PREPEND kx_)
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE
    TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}" SOURCE_ROOT="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_USES} ${ARG_LIBS} PkgConfig::CMOCKA kexsect_settings)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}")
endfunction()
