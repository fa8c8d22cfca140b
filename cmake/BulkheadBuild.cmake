# Compiler settings, packages and the three helpers that every folder uses:
#   bulkhead_library(NAME SOURCES... [DEPS...])
#   bulkhead_program(NAME SOURCES... [DEPS...] [DYNAMIC])   -> build/bin/NAME
#   bulkhead_test(NAME LABEL unit|integration|security|fault|fuzz SOURCES... [DEPS...] [SERIAL])

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
endif()

# A worker is started for every job: a static program starts in a third of the time of one with
# twenty shared objects, and has no loader to be misled. Sanitizers need shared libraries.
option(BULKHEAD_STATIC "link the programs statically where their libraries allow it" ON)
set(BULKHEAD_SANITIZE "" CACHE STRING "sanitizers for -fsanitize=, for example address,undefined")
if(BULKHEAD_SANITIZE)
  set(BULKHEAD_STATIC OFF)
  # -O1: instrumented templates take several times as long to optimise, and stacks stay readable.
  add_compile_options(-fsanitize=${BULKHEAD_SANITIZE} -fno-omit-frame-pointer -O1)
  add_link_options(-fsanitize=${BULKHEAD_SANITIZE})
  set(BULKHEAD_UNSANITIZED -fno-sanitize=all)  # for generated code
  add_compile_definitions(BULKHEAD_SANITIZED=1)
endif()

add_compile_options(-Wall -Wextra -Werror -Wno-missing-field-initializers -fstack-protector-strong
                    -fstack-clash-protection -fcf-protection -D_GLIBCXX_ASSERTIONS)
if(NOT BULKHEAD_SANITIZE)
  add_compile_options($<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
endif()
add_link_options(-Wl,-z,relro,-z,now -Wl,--as-needed)
include_directories("${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(absl REQUIRED)
find_package(CapnProto REQUIRED)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(CAP REQUIRED IMPORTED_TARGET libcap)

function(bulkhead_library NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${NAME} STATIC ${ARG_SOURCES})
  target_link_libraries(${NAME} PUBLIC ${ARG_DEPS})
endfunction()

function(bulkhead_program NAME)
  cmake_parse_arguments(ARG "DYNAMIC" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${ARG_DEPS})
  set_property(GLOBAL APPEND PROPERTY BULKHEAD_PROGRAMS ${NAME})
  if(BULKHEAD_STATIC AND NOT ARG_DYNAMIC)
    target_link_options(${NAME} PRIVATE -static-pie -Wl,--gc-sections)
    set_target_properties(${NAME} PROPERTIES
      RULE_LAUNCH_LINK "${CMAKE_SOURCE_DIR}/cmake/static_link.sh")
  else()
    target_link_options(${NAME} PRIVATE -pie)
  endif()
endfunction()

# What every test includes, compiled once: GoogleTest's headers are half of what most tests take to build.
add_executable(test_headers EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/cmake/test_headers.cc")
target_link_libraries(test_headers PRIVATE absl::status absl::statusor absl::strings
  GTest::gtest GTest::gmock GTest::gtest_main)
# Tests run briefly and are compiled often. gcc 12 forgets with precompiled headers that the standard library is not
# ours, and warns of what it made of std::string itself.
set(TEST_OPTIONS -O1 -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict)
target_compile_options(test_headers PRIVATE ${TEST_OPTIONS})
target_precompile_headers(test_headers PRIVATE
  <string> <vector> <absl/status/statusor.h> <absl/strings/str_cat.h> <gmock/gmock.h> <gtest/gtest.h>)

# One ctest entry a test case, so that a case that its kernel cannot run shows as skipped by name.
include(GoogleTest)
function(bulkhead_test NAME)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_options(${NAME} PRIVATE ${TEST_OPTIONS})
  target_precompile_headers(${NAME} REUSE_FROM test_headers)
  set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  gtest_discover_tests(${NAME} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL "$<BOOL:${ARG_SERIAL}>")
endfunction()
