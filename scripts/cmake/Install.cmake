# What `cmake --install` puts where Debian expects it. The programs are installed by their own folders.
install(DIRECTORY configs kernels patches DESTINATION ${CMAKE_INSTALL_DATADIR}/kexsect)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.json" PATTERN "*.yaml"
        PATTERN "man" EXCLUDE)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES docs/man/kexsect.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/kexsectd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES scripts/install/kexsect.bash-completion RENAME kexsect
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
foreach(unit kexsect@.service kexsectd.service)
  configure_file(scripts/install/${unit}.in ${PROJECT_BINARY_DIR}/${unit} @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${unit} DESTINATION lib/systemd/system)
endforeach()
