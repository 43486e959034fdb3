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

# prescript_library(<folder> SOURCES ... [LINKS ...] [PRIVATE_LINKS ...])
# declares the library of src/<folder>. LINKS are the folders and packages its headers need.
function(prescript_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(prescript_${folder} STATIC ${ARG_SOURCES})
  add_library(prescript::${folder} ALIAS prescript_${folder})
  target_include_directories(prescript_${folder} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(prescript_${folder}
    PUBLIC ${ARG_LINKS} PRIVATE prescript_warnings ${ARG_PRIVATE_LINKS})
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

# prescript_test(<folder> SOURCES ... [LINKS ...])
# declares the test program of tests/<folder>; each of its tests becomes a CTest test.
function(prescript_test folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(prescript_${folder}_test ${ARG_SOURCES})
  target_include_directories(prescript_${folder}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(prescript_${folder}_test PRIVATE
    PRESCRIPT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(prescript_${folder}_test
    PRIVATE ${ARG_LINKS} prescript_warnings GTest::gmock GTest::gtest_main)
  gtest_discover_tests(prescript_${folder}_test
    TEST_PREFIX ${folder}/ DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
endfunction()
