# libqdit, for C and what can call it: csrc/capi/qdit.h. Every symbol but those of the header stays inside.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(qdit_c SHARED
  csrc/capi/api.cpp
  csrc/capi/pool.cpp
  csrc/capi/selecting.cpp)
add_library(qdit::qdit ALIAS qdit_c)
set_target_properties(qdit_c PROPERTIES
  OUTPUT_NAME qdit
  EXPORT_NAME qdit
  VERSION "${PROJECT_VERSION}"
  # until 1.0 a minor version may change the interface
  SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}"
  PUBLIC_HEADER csrc/capi/qdit.h
  LINK_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/csrc/capi/libqdit.map")
target_include_directories(qdit_c PUBLIC
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/csrc/capi>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_definitions(qdit_c PRIVATE
  QDIT_PROJECT_VERSION="${PROJECT_VERSION}"
  QDIT_PROJECT_MAJOR=${PROJECT_VERSION_MAJOR}
  QDIT_PROJECT_MINOR=${PROJECT_VERSION_MINOR}
  QDIT_PROJECT_PATCH=${PROJECT_VERSION_PATCH})
target_link_libraries(qdit_c PRIVATE $<BUILD_INTERFACE:qdit_engine>)
target_link_options(qdit_c PRIVATE "LINKER:--version-script=${CMAKE_CURRENT_SOURCE_DIR}/csrc/capi/libqdit.map")
# scores must round as they do in the engine
target_compile_options(qdit_c PRIVATE -ffp-contract=off)
qdit_enable_warnings(qdit_c)

file(RELATIVE_PATH QDIT_PC_PREFIX "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file(csrc/capi/qdit.pc.in "${CMAKE_CURRENT_BINARY_DIR}/qdit.pc" @ONLY)
set(qdit_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/qdit")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/qdit-config-version.cmake"
  VERSION "${PROJECT_VERSION}" COMPATIBILITY SameMinorVersion)

install(TARGETS qdit_c EXPORT qdit
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT c
  PUBLIC_HEADER DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT c)
install(EXPORT qdit NAMESPACE qdit:: FILE qdit-config.cmake DESTINATION "${qdit_package_dir}" COMPONENT c)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/qdit-config-version.cmake"
  DESTINATION "${qdit_package_dir}" COMPONENT c)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/qdit.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT c)
