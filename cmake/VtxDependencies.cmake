# SPDX-License-Identifier: MPL-2.0
#
# Finds what the project stands on, and downloads nothing: a missing library is named with the Debian package that brings it.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# vtx_missing(what package option): `option`, when not empty, is what to switch off to do without it.
function(vtx_missing what package option)
  set(without "")
  if(option)
    set(without ", or do without: cmake -D${option}=OFF")
  endif()
  message(FATAL_ERROR "VTX needs ${what}: apt install ${package} (or run scripts/bootstrap)${without}")
endfunction()

# vtx_need_pkg(target module package [option]): a pkg-config module as PkgConfig::target.
macro(vtx_need_pkg target module package)
  pkg_check_modules(${target} QUIET IMPORTED_TARGET ${module})
  if(NOT ${target}_FOUND)
    vtx_missing(${module} ${package} "${ARGN}")
  endif()
endmacro()

# vtx_need_package(name package [option]): a find_package() package.
macro(vtx_need_package name package)
  find_package(${name} QUIET)
  if(NOT ${name}_FOUND)
    vtx_missing(${name} ${package} "${ARGN}")
  endif()
endmacro()

vtx_need_pkg(ZMQ libzmq>=4.3 libzmq3-dev)
# Debian's libzmq.pc has "-isystem /usr/include/mit-krb5" and more, of which zmq.h needs nothing. CMake 3.25 takes it for an include directory
# when it configures first, and from the cache for a compiler option: the second configuration would compile everything anew.
set_target_properties(PkgConfig::ZMQ PROPERTIES INTERFACE_COMPILE_OPTIONS "" INTERFACE_INCLUDE_DIRECTORIES "${ZMQ_INCLUDEDIR}")
vtx_need_package(tl-expected libexpected-dev)
vtx_need_package(fmt libfmt-dev)
vtx_need_package(nlohmann_json nlohmann-json3-dev)
if(VTX_WITH_SQLITE)
  vtx_need_pkg(SQLITE sqlite3 libsqlite3-dev VTX_WITH_SQLITE)
endif()
if(VTX_WITH_POSTGRES)
  vtx_need_pkg(PQ libpq libpq-dev VTX_WITH_POSTGRES)
endif()
if(VTX_WITH_ROCKSDB)
  # Before 7.7 a sync could leave out what was written beside it (RocksDB's HISTORY.md, 7.7.0).
  vtx_need_pkg(ROCKSDB rocksdb>=7.7 librocksdb-dev VTX_WITH_ROCKSDB)
endif()
if(VTX_BUILD_CLI)
  vtx_need_package(CLI11 libcli11-dev VTX_BUILD_CLI)
endif()
if(VTX_BUILD_TESTS)
  vtx_need_package(GTest "libgtest-dev libgmock-dev" VTX_BUILD_TESTS)
endif()

# ThreadSanitizer sees nothing of what an uninstrumented libzmq orders, and would report every message that passes through it.
if(VTX_SANITIZE MATCHES "thread" AND NOT ZMQ_LIBRARY_DIRS MATCHES "libzmq-tsan")
  message(FATAL_ERROR "The tsan preset needs a libzmq built for it: scripts/bootstrap --tsan")
endif()
