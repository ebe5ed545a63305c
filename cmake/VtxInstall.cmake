# SPDX-License-Identifier: MPL-2.0
#
# What leaves the build tree: public headers (each proved to compile on its own), libraries, the command, find_package(VTX)
# and vtx.pc. An export set a component, so that find_package(VTX COMPONENTS sqlite) asks only for what SQLite needs.

include(CMakePackageConfigHelpers)

# Programs find the libraries of their own tree, wherever that is installed.
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
set(VTX_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/VTX)
define_property(GLOBAL PROPERTY VTX_DRIVERS BRIEF_DOCS "Names of the drivers that are built")

# vtx_public_headers(target BASE_DIR dir FILES …): headers that are installed; all_verify_interface_header_sets compiles each alone.
function(vtx_public_headers target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "BASE_DIR" "FILES")
  list(TRANSFORM arg_FILES PREPEND ${arg_BASE_DIR}/)
  target_sources(${target} INTERFACE FILE_SET HEADERS BASE_DIRS ${arg_BASE_DIR} FILES ${arg_FILES})
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()

# vtx_install_library(target COMPONENT name): the target becomes vtx::name, here and for who finds the package.
function(vtx_install_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "COMPONENT" "")
  if(NOT TARGET vtx::${arg_COMPONENT})
    add_library(vtx::${arg_COMPONENT} ALIAS ${target})
  endif()
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${arg_COMPONENT})
  get_target_property(kind ${target} TYPE)
  if(kind STREQUAL "SHARED_LIBRARY")
    set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} INSTALL_RPATH "$ORIGIN")
  endif()
  install(TARGETS ${target} EXPORT VTX-${arg_COMPONENT}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT VTX-${arg_COMPONENT} NAMESPACE vtx:: DESTINATION ${VTX_CMAKE_DIR})
endfunction()

# vtx_add_driver(name SCHEMES …): builds drivers/name, which makes the target vtx_name with the public header
# include/vtx/drivers/name.h (declaring vtx_name_driver), and lets vtx_register_all() register it under the schemes.
function(vtx_add_driver name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SCHEMES")
  add_subdirectory(drivers/${name})
  if(NOT TARGET vtx_${name})
    return()
  endif()
  get_target_property(header_sets vtx_${name} INTERFACE_HEADER_SETS)
  if(NOT header_sets)
    vtx_public_headers(vtx_${name} BASE_DIR ${PROJECT_SOURCE_DIR}/drivers/${name}/include FILES vtx/drivers/${name}.h)
  endif()
  vtx_install_library(vtx_${name} COMPONENT ${name})
  set_property(GLOBAL APPEND PROPERTY VTX_DRIVERS ${name})
  set_property(GLOBAL PROPERTY VTX_SCHEMES_${name} ${arg_SCHEMES})
endfunction()

# vtx_add_all(): vtx::all, every driver of this build behind one header, vtx/all.h. Call it after the last driver.
function(vtx_add_all)
  get_property(drivers GLOBAL PROPERTY VTX_DRIVERS)
  set(VTX_ALL_INCLUDES "")
  set(VTX_ALL_ENTRIES "")
  foreach(driver IN LISTS drivers)
    string(APPEND VTX_ALL_INCLUDES "#include \"vtx/drivers/${driver}.h\"\n")
    get_property(schemes GLOBAL PROPERTY VTX_SCHEMES_${driver})
    foreach(scheme IN LISTS schemes)
      string(APPEND VTX_ALL_ENTRIES "  if (vtx_register (vtx, \"${scheme}\", vtx_${driver}_driver) != 0) return -1;\n")
    endforeach()
  endforeach()
  set(headers ${PROJECT_BINARY_DIR}/include)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/all.h.in ${headers}/vtx/all.h @ONLY)
  add_library(vtx_all INTERFACE)
  list(TRANSFORM drivers PREPEND vtx_ OUTPUT_VARIABLE libraries)
  target_link_libraries(vtx_all INTERFACE vtx ${libraries})
  vtx_public_headers(vtx_all BASE_DIR ${headers} FILES vtx/all.h)
  vtx_install_library(vtx_all COMPONENT all)
endfunction()

# vtx_install_project(): what belongs to no library: the package's description and the licence.
function(vtx_install_project)
  get_property(VTX_DRIVERS GLOBAL PROPERTY VTX_DRIVERS)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/VTXConfig.cmake.in ${PROJECT_BINARY_DIR}/VTXConfig.cmake
    INSTALL_DESTINATION ${VTX_CMAKE_DIR})
  # Until 1.0 a minor version may break what links against it.
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/VTXConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/VTXConfig.cmake ${PROJECT_BINARY_DIR}/VTXConfigVersion.cmake DESTINATION ${VTX_CMAKE_DIR})

  # Relative to where the file lies, so that an installed tree can be moved (or installed with --prefix).
  file(RELATIVE_PATH VTX_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" VTX_PC_PREFIX "${VTX_PC_PREFIX}")
  list(TRANSFORM VTX_DRIVERS PREPEND "-lvtx_" OUTPUT_VARIABLE VTX_PC_DRIVERS)
  list(JOIN VTX_PC_DRIVERS " " VTX_PC_DRIVERS)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/vtx.pc.in ${PROJECT_BINARY_DIR}/vtx.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/vtx.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/vtx)
endfunction()
