# The two functions by which every folder of src and tests declares its target, and the compiler
# settings they share.

add_library(prescript_warnings INTERFACE)
target_compile_options(prescript_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror
  -Wno-restrict)  # false alarms of g++ 12 on std::string (gcc.gnu.org/PR105651)

if(PRESCRIPT_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer
                      -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

# What does not compute much itself, as commands, pages and most tests: compiled in about three quarters of the time.
add_library(prescript_quick_compile INTERFACE)
target_compile_options(prescript_quick_compile INTERFACE
  -O1 -Wno-array-bounds -Wno-stringop-overflow)  # false alarms of g++ 12 on std::string, at this level alone

# prescript_library(<folder> SOURCES ... [LINKS ...] [PRIVATE_LINKS ...] [QUICK_COMPILE])
# declares the library of src/<folder>. LINKS are the folders and packages its headers need.
function(prescript_library folder)
  cmake_parse_arguments(ARG "QUICK_COMPILE" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(prescript_${folder} STATIC ${ARG_SOURCES})
  add_library(prescript::${folder} ALIAS prescript_${folder})
  target_include_directories(prescript_${folder} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(prescript_${folder}
    PUBLIC ${ARG_LINKS} PRIVATE prescript_warnings ${ARG_PRIVATE_LINKS})
  if(ARG_QUICK_COMPILE)
    target_link_libraries(prescript_${folder} PRIVATE prescript_quick_compile)
  endif()
endfunction()

# prescript_test_sources(<name> SOURCES ... [LINKS ...])
# declares the object library prescript_<name>: sources that several test programs link (as LINKS),
# which are compiled once.
function(prescript_test_sources name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(prescript_${name} OBJECT ${ARG_SOURCES})
  target_include_directories(prescript_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(prescript_${name} PRIVATE
    PRESCRIPT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(prescript_${name}
    PRIVATE ${ARG_LINKS} prescript_warnings GTest::gmock GTest::gtest)
endfunction()

# What most tests include, compiled once: gtest, gmock and the JSON library take half of a test's
# compile time.
function(prescript_test_headers)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/test_headers.cc CONTENT "")
  add_library(prescript_test_headers OBJECT ${CMAKE_BINARY_DIR}/test_headers.cc)
  target_compile_options(prescript_test_headers PRIVATE -fPIE)  # as programs are
  target_link_libraries(prescript_test_headers
    PRIVATE prescript_warnings prescript_quick_compile GTest::gmock GTest::gtest)
  target_precompile_headers(prescript_test_headers PRIVATE
    <gmock/gmock.h> <gtest/gtest.h> <nlohmann/json.hpp> <filesystem> <fstream> <functional>)
endfunction()

# prescript_test(<folder> SOURCES ... [LINKS ...] [BY_SUITE] [COMPUTES])
# declares the test program of tests/<folder>. Each of its tests becomes a CTest test, or BY_SUITE each suite: for
# programs that start LibTorch, which takes longer than most tests. One that COMPUTES much itself is optimised
# as the program is.
function(prescript_test folder)
  cmake_parse_arguments(ARG "BY_SUITE;COMPUTES" "" "SOURCES;LINKS" ${ARGN})
  add_executable(prescript_${folder}_test ${ARG_SOURCES})
  target_include_directories(prescript_${folder}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(prescript_${folder}_test PRIVATE
    PRESCRIPT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(prescript_${folder}_test
    PRIVATE ${ARG_LINKS} prescript_warnings GTest::gmock)
  if(NOT ARG_COMPUTES)
    target_link_libraries(prescript_${folder}_test PRIVATE prescript_quick_compile)
    if(NOT "TorchWheel::cpu" IN_LIST ARG_LINKS)  # whose headers are compiled for OpenMP
      target_precompile_headers(prescript_${folder}_test REUSE_FROM prescript_test_headers)
    endif()
  endif()
  if(ARG_BY_SUITE)
    target_sources(prescript_${folder}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/main.cc)
    target_link_libraries(prescript_${folder}_test PRIVATE GTest::gtest)
    set(_suites ${CMAKE_CURRENT_BINARY_DIR}/prescript_${folder}_test.suites.cmake)
    add_custom_command(TARGET prescript_${folder}_test POST_BUILD
      COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:prescript_${folder}_test> -D PREFIX=${folder}/
        -D OUTPUT=${_suites} -P ${CMAKE_SOURCE_DIR}/cmake/list_suites.cmake
      BYPRODUCTS ${_suites} VERBATIM)
    set(_include ${CMAKE_CURRENT_BINARY_DIR}/prescript_${folder}_test.include.cmake)
    file(WRITE ${_include}
      "if(EXISTS \"${_suites}\")\n  include(\"${_suites}\")\n"
      "else()\n  add_test(\"${folder}/NOT_BUILT\" prescript_${folder}_test_NOT_BUILT)\nendif()\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${_include})
  else()
    target_link_libraries(prescript_${folder}_test PRIVATE GTest::gtest_main)
    gtest_discover_tests(prescript_${folder}_test
      TEST_PREFIX ${folder}/ DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
  endif()
endfunction()
