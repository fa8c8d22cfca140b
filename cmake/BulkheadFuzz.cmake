# bulkhead_fuzz(NAME SOURCES... [DEPS...])   -> build/fuzz/NAME, and a short run of it in ctest (label fuzz)
#
# SOURCES: the target (LLVMFuzzerTestOneInput) and the sources that it is to explore; these are compiled by clang with
# libFuzzer, address and undefined-behaviour sanitizers. DEPS are linked as they are, so they are not explored.
# Seeds: tests/fuzz/corpus/NAME/. What a run finds goes to build/fuzz/corpus/NAME. Longer: build/fuzz/NAME -max_total_time=3600
# build/fuzz/corpus/NAME tests/fuzz/corpus/NAME.

find_program(FUZZ_COMPILER clang++-14)
set(BULKHEAD_FUZZ_SECONDS 5 CACHE STRING "how long each fuzz target runs in ctest, seconds")

function(bulkhead_fuzz NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  set(work "${CMAKE_BINARY_DIR}/fuzz/corpus/${NAME}")
  set(seeds "${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${NAME}")
  if(BULKHEAD_SANITIZE AND NOT BULKHEAD_SANITIZE MATCHES "fuzzer")
    return()   # two sets of sanitizers do not go together
  endif()
  if(NOT FUZZ_COMPILER)
    add_test(NAME fuzz.${NAME} COMMAND ${CMAKE_COMMAND} -E echo "skipped: clang++-14 is not installed")
    set_tests_properties(fuzz.${NAME} PROPERTIES LABELS fuzz SKIP_REGULAR_EXPRESSION "^skipped")
    return()
  endif()
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${ARG_DEPS})
  # The rest of the tree may be gcc's: what differs is this target's compiler alone.
  set_target_properties(${NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz"
    RULE_LAUNCH_COMPILE "${CMAKE_SOURCE_DIR}/cmake/with_clang.sh ${FUZZ_COMPILER}"
    RULE_LAUNCH_LINK "${CMAKE_SOURCE_DIR}/cmake/with_clang.sh ${FUZZ_COMPILER}")
  target_compile_options(${NAME} PRIVATE -fsanitize=fuzzer,address,undefined
    -fno-sanitize-recover=undefined -O1 -U_FORTIFY_SOURCE -Wno-unused-command-line-argument)
  target_link_options(${NAME} PRIVATE -fsanitize=fuzzer,address,undefined)
  file(MAKE_DIRECTORY "${work}")
  if(NOT IS_DIRECTORY "${seeds}")
    set(seeds "")
  endif()
  add_test(NAME fuzz.${NAME}
           COMMAND ${NAME} -max_total_time=${BULKHEAD_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=1024
                   -max_len=65536 -print_final_stats=1 "${work}" ${seeds})
  set_tests_properties(fuzz.${NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
