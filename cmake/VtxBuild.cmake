# SPDX-License-Identifier: MPL-2.0
#
# The way every target of this project is built: C++20, hidden visibility, our warnings in our presets only.

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# For every target, and no feature that the targets hand on: a C program may link the libraries.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

find_program(VTX_CCACHE ccache)
if(VTX_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Relative to the sources, so that what one clone has compiled serves another.
  set(VTX_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${VTX_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${VTX_LAUNCHER})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${VTX_LAUNCHER})
endif()

option(VTX_WARNINGS "Compile with the project's warnings" OFF)
option(VTX_WERROR "Treat warnings as errors" OFF)
set(VTX_SANITIZE "" CACHE STRING "Sanitizers for every target: address,undefined or thread")

# Settings shared by libraries, programs and tests.
function(vtx_settings target)
  set_target_properties(${target} PROPERTIES
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  target_compile_definitions(${target} PRIVATE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
  if(VTX_WARNINGS)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  endif()
  if(VTX_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(VTX_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${VTX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${VTX_SANITIZE})
  endif()
endfunction()
