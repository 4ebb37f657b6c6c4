# SL_HAVE_MPI: MPI is here, so several processes can train one model. Not with sanitizers or fuzzers:
# MPI's own leaks would be reported, and so both builds, with and without it, are tested.
option(SL_MPI "build for several processes where MPI is found" ON)

set(SL_HAVE_MPI OFF)
if(SL_MPI AND NOT SL_SANITIZE AND NOT SL_FUZZ)
    find_package(MPI QUIET COMPONENTS C)
    set(SL_HAVE_MPI ${MPI_C_FOUND})
endif()
if(SL_HAVE_MPI)
    message(STATUS "several processes: by MPI, started by ${MPIEXEC_EXECUTABLE}")
else()
    message(STATUS "several processes: not built")
endif()
