# Flags and the one way to declare a folder's library and a test.

add_library(sl_flags INTERFACE)
target_include_directories(sl_flags INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(sl_flags INTERFACE _GNU_SOURCE SL_VERSION="${PROJECT_VERSION}")
target_compile_options(
    sl_flags
    INTERFACE -Wall
              -Wextra
              -Wshadow
              -Wconversion
              -Wvla
              -Wundef
              -Wmissing-prototypes
              -Wstrict-prototypes
              $<$<BOOL:${SL_WARNINGS_AS_ERRORS}>:-Werror>)
if(SL_SANITIZE)
    target_compile_options(sl_flags INTERFACE -fsanitize=${SL_SANITIZE} -fno-sanitize-recover=all
                                              -fno-omit-frame-pointer)
    target_link_options(sl_flags INTERFACE -fsanitize=${SL_SANITIZE})
endif()

# sl_library(NAME SOURCES ... USES ...): the folder's static library sl_<NAME>; USES are the folders
# its arrows point to and the outside libraries it needs.
function(sl_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
    add_library(sl_${name} STATIC ${arg_SOURCES})
    target_link_libraries(sl_${name} PUBLIC sl_flags ${arg_USES})
endfunction()

# sl_test(NAME SOURCES ... USES ...): one cmocka program, one CTest test of that name. TIMEOUT in
# seconds; LABELS as CTest's: "tsan" for what `make tsan` runs (tests that use threads of ours but
# not OpenMP, whose runtime the thread sanitizer doesn't see into). Tests run side by side, so their
# OpenMP threads sleep while they wait.
add_custom_target(tsan_tests)
function(sl_test name)
    cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;USES;LABELS" ${ARGN})
    add_executable(test_${name} ${arg_SOURCES})
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(test_${name} PRIVATE ${arg_USES} PkgConfig::cmocka)
    add_test(NAME ${name} COMMAND test_${name})
    if(tsan IN_LIST arg_LABELS)
        add_dependencies(tsan_tests test_${name})
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    set_tests_properties(
        ${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}" SKIP_RETURN_CODE 77
                           ENVIRONMENT "OMP_NUM_THREADS=2;OMP_WAIT_POLICY=passive")
endfunction()

# What tests of several processes find in their environment: they are more than the cores, and all on
# this machine; Open MPI wants to be told so, and asks root twice.
set(SL_MPI_ENVIRONMENT
    "OMP_NUM_THREADS=1"
    "OMP_WAIT_POLICY=passive"
    "OMPI_MCA_rmaps_base_oversubscribe=1"
    "OMPI_MCA_btl_vader_single_copy_mechanism=none"
    "OMPI_ALLOW_RUN_AS_ROOT=1"
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")

# sl_mpi_test(NAME COUNTS n... SOURCES ... USES ...): one cmocka program, a CTest test for each count
# of processes that it is started as. Without MPI it is started alone, and says that it skips.
function(sl_mpi_test name)
    cmake_parse_arguments(arg "" "" "COUNTS;SOURCES;USES" ${ARGN})
    add_executable(test_${name} ${arg_SOURCES})
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(test_${name} PRIVATE ${arg_USES} PkgConfig::cmocka)
    foreach(n ${arg_COUNTS})
        set(start)
        if(SL_HAVE_MPI)
            set(start ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${n})
        endif()
        add_test(NAME ${name}_${n} COMMAND ${start} $<TARGET_FILE:test_${name}>)
        set_tests_properties(
            ${name}_${n} PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77 PROCESSORS ${n}
                                    ENVIRONMENT "${SL_MPI_ENVIRONMENT}")
    endforeach()
endfunction()
