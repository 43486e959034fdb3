# cmake -D PROGRAM=<test program> -D PREFIX=<of names> -D OUTPUT=<file> -P list_suites.cmake
# writes a file for CTest in which every suite of the program is a test, after the program was linked. Skipped
# tests are told by the program's exit code (tests/support/main.cc), which never hides a failure.
execute_process(COMMAND ${PROGRAM} --gtest_list_tests OUTPUT_VARIABLE _listed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "(^|\n)[A-Za-z0-9_/]+\\." _suites "${_listed}")
if(NOT _suites)
  message(FATAL_ERROR "${PROGRAM} lists no test")
endif()
set(_lines "")
foreach(_suite IN LISTS _suites)
  string(REGEX REPLACE "[\n.]" "" _suite "${_suite}")
  string(APPEND _lines
    "add_test(\"${PREFIX}${_suite}\" \"${PROGRAM}\" \"--gtest_filter=${_suite}.*\")\n"
    "set_tests_properties(\"${PREFIX}${_suite}\" PROPERTIES TIMEOUT 1800 SKIP_RETURN_CODE 77)\n")
endforeach()
file(WRITE ${OUTPUT} "${_lines}")
